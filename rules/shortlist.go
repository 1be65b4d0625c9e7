package rules

import "slices"

// shortlist are the candidates of an outline. Those that can hold only where a
// field has one of a few values are found by its value.
type shortlist struct {
	always []int
	by     []valueList
}

// valueList are the candidates for each value of a field.
type valueList struct {
	field  *Field
	groups map[string][]int
}

// fewCandidates is how many candidates are looked at one by one before a look-up
// by a field's value pays.
const fewCandidates = 4

func (x *Index) newShortlist(found []int) *shortlist {
	list := &shortlist{}
	byField := map[*Field][]int{}
	for _, i := range found {
		if r := x.requires(i); r != nil {
			byField[r.field] = append(byField[r.field], i)
		} else {
			list.always = append(list.always, i)
		}
	}
	for i := range vocabulary { // in a fixed order
		field := &vocabulary[i]
		groups := byField[field]
		if len(groups) < fewCandidates {
			list.always = append(list.always, groups...)
			continue
		}
		values := valueList{field: field, groups: map[string][]int{}}
		for _, g := range groups {
			words := slices.Clone(x.requires(g).words)
			slices.Sort(words)
			for _, w := range slices.Compact(words) {
				values.groups[w] = append(values.groups[w], g)
			}
		}
		list.by = append(list.by, values)
	}
	slices.Sort(list.always)
	return list
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
		dst = append(dst, l.by[i].groups[l.by[i].field.text(s)]...)
	}
	if len(dst) > len(l.always) {
		slices.Sort(dst)
	}
	return dst
}
