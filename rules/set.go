package rules

import (
	"cmp"
	"embed"
	"fmt"
	"slices"
)

//go:embed packs/*.yaml
var packs embed.FS

// Set is a set of rules with distinct ids, in order of id.
type Set struct {
	Rules    []*Rule
	Disabled []*Rule // by an override: not evaluated
}

// Rule returns the rule with an id that is evaluated, nil if there is none.
func (s *Set) Rule(id RuleID) *Rule { return find(s.Rules, id) }

// Find returns the rule with an id, be it disabled; nil if there is none.
func (s *Set) Find(id RuleID) *Rule {
	return cmp.Or(find(s.Rules, id), find(s.Disabled, id))
}

func find(list []*Rule, id RuleID) *Rule {
	i, found := slices.BinarySearchFunc(list, id, func(r *Rule, id RuleID) int { return cmp.Compare(r.ID, id) })
	if !found {
		return nil
	}
	return list[i]
}

func builtin() func(yield func(string, []byte) bool) {
	return func(yield func(string, []byte) bool) {
		entries, err := packs.ReadDir("packs")
		if err != nil {
			panic(err) // the packs are part of the program
		}
		for _, e := range entries {
			src, err := packs.ReadFile("packs/" + e.Name())
			if err != nil {
				panic(err)
			}
			if !yield("builtin/"+e.Name(), src) {
				return
			}
		}
	}
}

// NewSet puts rules in order and leaves those out whose id is taken.
func NewSet(all []*Rule) (*Set, Problems) {
	var problems Problems
	byID := map[RuleID]*Rule{}
	set := &Set{}
	for _, r := range all {
		if first := byID[r.ID]; first != nil {
			problems = append(problems, Problem{
				File: r.File, Line: r.Line, Column: 1, Rule: r.ID, Field: "id",
				Message: fmt.Sprintf("%s:%d has a rule of this id already: ids are unique", first.File, first.Line),
			})
			continue
		}
		byID[r.ID] = r
		if r.Disabled {
			set.Disabled = append(set.Disabled, r)
			continue
		}
		set.Rules = append(set.Rules, r)
	}
	for _, list := range [][]*Rule{set.Rules, set.Disabled} {
		slices.SortFunc(list, func(a, b *Rule) int { return cmp.Compare(a.ID, b.ID) })
	}
	return set, problems
}

// Streamed returns the rules that a stream can evaluate as a set, and the others.
func (s *Set) Streamed() (streamed *Set, long []*Rule) {
	streamed = &Set{Disabled: s.Disabled}
	for _, r := range s.Rules {
		if r.Streamed() {
			streamed.Rules = append(streamed.Rules, r)
		} else {
			long = append(long, r)
		}
	}
	return streamed, long
}
