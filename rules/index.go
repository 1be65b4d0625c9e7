package rules

import (
	"slices"
	"strconv"
	"strings"
)

// Index finds those of many groups of conditions that may all hold on an event,
// by an outline of it: a few of its fields. For each outline that it meets it
// evaluates all conditions once, with every other field unknown; those that are
// false then are false on every event of that outline. It is used by one
// goroutine.
type Index struct {
	groups     [][]*Condition
	texts      []*use // by outlineTexts: what the conditions compare it with
	numbers    []*use // by outlineNumbers
	shortlists map[outline]*shortlist
	normal     map[outline]*shortlist
	all        []int
	found      []int
}

// Bounds on what an index remembers: clients choose resources and subresources.
const (
	maxOutlines = 4_096
	otherValue  = "\x00other" // stands for all values that no condition names
	otherNumber = -1
)

// outline is what an event is looked up by.
type outline struct {
	texts   [len(outlineTexts)]string
	numbers [len(outlineNumbers)]int
	flags   [len(outlineFlags)]bool
}

var (
	outlineTexts   = [...]string{"verb", "objectRef.resource", "objectRef.subresource", "actor.kind"}
	outlineNumbers = [...]string{"responseStatus.code"}
	outlineFlags   = [...]string{"allowed", "denied", "actor.controller", "actor.impersonating"}
)

// NewIndex returns an index of groups of conditions.
func NewIndex(groups [][]*Condition) *Index {
	x := &Index{groups: groups, shortlists: map[outline]*shortlist{}, normal: map[outline]*shortlist{}}
	for _, name := range outlineTexts {
		x.texts = append(x.texts, usesOf(groups, name))
	}
	for _, name := range outlineNumbers {
		x.numbers = append(x.numbers, usesOf(groups, name))
	}
	for i := range groups {
		x.all = append(x.all, i)
	}
	return x
}

// usesOf gathers what conditions compare a field with.
func usesOf(groups [][]*Condition, name string) *use {
	all := &use{constants: map[string]struct{}{}}
	for _, group := range groups {
		for _, c := range group {
			all.merge(c.uses[name])
		}
	}
	return all
}

func (u *use) merge(other *use) {
	if other == nil {
		return
	}
	u.open = u.open || other.open
	for constant := range other.constants {
		u.constants[constant] = struct{}{}
	}
}

// Candidates returns the numbers of the groups that may hold on the event that m
// has loaded, in ascending order. The slice is reused by the next call.
func (x *Index) Candidates(m *Machine) []int {
	if m.hidden != (fieldSet{}) || m.scope.Event.Reduced() != nil { // the outline itself may be unknown
		return x.all
	}
	o := outlineOf(m.scope)
	list := x.shortlists[o]
	if list == nil {
		list = x.find(m, o)
		if len(x.shortlists) >= maxOutlines {
			clear(x.shortlists)
		}
		x.shortlists[o.clone()] = list
	}
	if len(list.by) == 0 {
		return list.always
	}
	x.found = list.on(m.scope, x.found[:0])
	return x.found
}

// find returns the shortlist of an outline that was not met yet.
func (x *Index) find(m *Machine, o outline) *shortlist {
	o = x.normalize(o)
	if list := x.normal[o]; list != nil {
		return list
	}
	hidden := m.hidden
	m.hidden = unlessOutlined
	var found []int
	for i, group := range x.groups {
		if !slices.ContainsFunc(group, func(c *Condition) bool { return c.holds(m) == False }) {
			found = append(found, i)
		}
	}
	m.hidden = hidden
	if len(x.normal) >= maxOutlines {
		clear(x.normal)
	}
	list := x.newShortlist(found)
	x.normal[o.clone()] = list
	return list
}

// normalize replaces values that no condition tells apart.
func (x *Index) normalize(o outline) outline {
	for i, u := range x.texts {
		if !u.tells(o.texts[i]) {
			o.texts[i] = otherValue
		}
	}
	for i, u := range x.numbers {
		if !u.tells(strconv.Itoa(o.numbers[i])) {
			o.numbers[i] = otherNumber
		}
	}
	return o
}

// tells reports whether conditions may tell a value from others.
func (u *use) tells(value string) bool {
	_, named := u.constants[value]
	return named || u.open
}

func outlineOf(s *Scope) (o outline) {
	for i, f := range outlinedTexts {
		o.texts[i] = f.text(s)
	}
	for i, f := range outlinedNumbers {
		o.numbers[i] = f.number(s)
	}
	for i, f := range outlinedFlags {
		o.flags[i] = f.flag(s)
	}
	return o
}

// clone copies the texts: they are views into the event.
func (o outline) clone() outline {
	for i := range o.texts {
		o.texts[i] = strings.Clone(o.texts[i])
	}
	return o
}

var (
	outlinedTexts   = fieldsNamed(outlineTexts[:])
	outlinedNumbers = fieldsNamed(outlineNumbers[:])
	outlinedFlags   = fieldsNamed(outlineFlags[:])
	// What was left out of an event that is looked up is known: nothing.
	nothingReduced = fieldsNamed([]string{"reduced"})
	unlessOutlined = allBut(outlinedTexts, outlinedNumbers, outlinedFlags, nothingReduced)
)

func fieldsNamed(names []string) []*Field {
	fields := make([]*Field, len(names))
	for i, name := range names {
		fields[i] = lookup(name)
	}
	return fields
}

func allBut(known ...[]*Field) fieldSet {
	var s fieldSet
	for i := range vocabulary {
		s.add(i)
	}
	for _, fields := range known {
		for _, f := range fields {
			s[f.index>>6] &^= 1 << (f.index & 63)
		}
	}
	return s
}
