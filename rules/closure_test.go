package rules

import (
	"fmt"
	"slices"
	"testing"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/internal/recorded"
)

// recordedEvents returns the events of the recorded attack that are matched.
func recordedEvents(t testing.TB) []*audit.Event {
	t.Helper()
	var events []*audit.Event
	for _, e := range recorded.Events(t, recorded.Attack) {
		if e.Observed() {
			events = append(events, e)
		}
	}
	return events
}

// compare fails if the parts of a condition say something else than the whole.
// Where the whole cannot tell, the parts may be able to, or may fail first.
func compare(t *testing.T, m *Machine, c *Condition) Truth {
	t.Helper()
	want, wantErr := m.Whole(c)
	got, err := m.Eval(c)
	switch {
	case wantErr == nil && err == nil && got == truth(want):
	case wantErr != nil: // the parts may not need what is unknown, or fails
	default:
		t.Errorf("%s: by parts %v, %v; as a whole %v, %v", c, got, err, want, wantErr)
	}
	return got
}

func TestPartsMeanTheWholeOnRecordedEvents(t *testing.T) {
	set, problems := Load(Sources{})
	if len(problems) > 0 {
		t.Fatal(problems.Error())
	}
	m := NewMachine()
	truths := map[Truth]int{}
	for _, e := range recordedEvents(t) {
		m.Load(scopeOf(e))
		for _, c := range conditionsOf(set) {
			truths[compare(t, m, c)]++
		}
	}
	t.Logf("%d rules: %v", len(set.Rules), truths)
	if truths[True] < 100 || truths[Unknown] < 10 || truths[False] < 100_000 {
		t.Errorf("the recordings do not show all truths: %v", truths)
	}
}

// What the index leaves out is false.
func TestIndexLeavesOutWhatIsFalse(t *testing.T) {
	r := newRandom(7, 8)
	var conditions []*Condition
	for range 500 {
		conditions = append(conditions, r.compiled(t, 2))
	}
	x, m := NewIndex(single(conditions)), NewMachine()
	left, all := 0, 0
	for i, e := range recordedEvents(t) {
		if i%7 == 0 {
			e.ObjectRef.Resource = fmt.Sprint("made-up-", i) // as clients can
		}
		m.Load(scopeOf(e))
		candidates := x.Candidates(m)
		for j, c := range conditions {
			got, _ := m.Eval(c)
			_, found := slices.BinarySearch(candidates, j)
			if !found && got != False {
				t.Fatalf("event %d: the index leaves %s out, which is %v", i, c, got)
			}
			all++
			if !found {
				left++
			}
		}
	}
	t.Logf("the index leaves out %d of %d", left, all)
	if left < all/10 {
		t.Errorf("the index leaves out %d of %d only", left, all)
	}
	if len(x.shortlists) > maxOutlines || len(x.normal) > maxOutlines {
		t.Errorf("%d and %d outlines are remembered", len(x.shortlists), len(x.normal))
	}
}

// conditionsOf returns the conditions of all parts of the rules.
func conditionsOf(set *Set) []*Condition {
	var conditions []*Condition
	for _, r := range set.Rules {
		for _, p := range r.Parts {
			conditions = append(conditions, p.When...)
		}
	}
	return conditions
}

func single(conditions []*Condition) [][]*Condition {
	groups := make([][]*Condition, len(conditions))
	for i, c := range conditions {
		groups[i] = []*Condition{c}
	}
	return groups
}

func TestIndexOfAPack(t *testing.T) {
	set, _ := Load(Sources{})
	conditions := conditionsOf(set)
	parts := 0
	for _, c := range conditions {
		parts += c.parts
	}
	x, m := NewIndex(single(conditions)), NewMachine()
	events, candidates := recordedEvents(t), 0
	for _, e := range events {
		m.Load(scopeOf(e))
		candidates += len(x.Candidates(m))
	}
	t.Logf("%d rules, %d parts for the virtual machine, %.2f candidates an event, %d outlines", len(conditions), parts, float64(candidates)/float64(len(events)), len(x.shortlists))
	if candidates > 10*len(events) {
		t.Errorf("%d candidates for %d events", candidates, len(events))
	}
}
