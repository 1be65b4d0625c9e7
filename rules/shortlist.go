package rules

import "slices"

// shortlist are the candidates of an outline. Those that can hold only where a
// field has one of a few values are found by its value.
type shortlist struct {
	always []int
	by     []valueList
}

// valueList are the candidates for each value of a field, of an element of it, or
// for each beginning of its value.
type valueList struct {
	field   *Field
	groups  map[string][]int
	lengths []int // of beginnings, in bytes; nil: whole values
}

// fewCandidates is how many candidates are looked at one by one before a look-up
// by a field's value pays.
const fewCandidates = 4

// wanted is what requirements are gathered by.
type wanted struct {
	field  int
	prefix bool
}

func (x *Index) newShortlist(found []int) *shortlist {
	list := &shortlist{}
	by := map[wanted][]int{}
	for _, i := range found {
		if r := x.requires(i); r != nil {
			w := wanted{r.field.index, r.prefix}
			by[w] = append(by[w], i)
		} else {
			list.always = append(list.always, i)
		}
	}
	for i := range vocabulary { // in a fixed order
		for _, prefix := range []bool{false, true} {
			groups := by[wanted{i, prefix}]
			if len(groups) < fewCandidates {
				list.always = append(list.always, groups...)
				continue
			}
			list.by = append(list.by, x.newValueList(&vocabulary[i], groups))
		}
	}
	slices.Sort(list.always)
	return list
}

// newValueList makes the list of groups that require something of one field.
func (x *Index) newValueList(field *Field, groups []int) valueList {
	values := valueList{field: field, groups: map[string][]int{}}
	for _, g := range groups {
		r := x.requires(g)
		words := slices.Clone(r.words)
		slices.Sort(words)
		for _, w := range slices.Compact(words) {
			values.groups[w] = append(values.groups[w], g)
			if r.prefix && !slices.Contains(values.lengths, len(w)) {
				values.lengths = append(values.lengths, len(w))
			}
		}
	}
	return values
}

// requires returns what a group of conditions requires of a field that outlines
// do not hold; nil if there is no such thing.
func (x *Index) requires(group int) *requirement {
	for _, c := range x.groups[group] {
		for i := range c.needs {
			if unlessOutlined.has(c.needs[i].field.index) {
				return &c.needs[i]
			}
		}
	}
	return nil
}

// on appends to dst the candidates for an event, in ascending order.
func (l *shortlist) on(s *Scope, dst []int) []int {
	dst = append(dst, l.always...)
	for i := range l.by {
		dst = l.by[i].on(s, dst)
	}
	if len(dst) == len(l.always) {
		return dst
	}
	slices.Sort(dst)
	return slices.Compact(dst) // a list may hold a value twice
}

func (l *valueList) on(s *Scope, dst []int) []int {
	if l.field.list != nil {
		for _, element := range l.field.list(s) {
			dst = append(dst, l.groups[element]...)
		}
		return dst
	}
	text := l.field.text(s)
	if l.lengths == nil {
		return append(dst, l.groups[text]...)
	}
	for _, n := range l.lengths {
		if n <= len(text) {
			dst = append(dst, l.groups[text[:n]]...)
		}
	}
	return dst
}
