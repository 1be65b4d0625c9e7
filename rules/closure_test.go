package rules

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/klaxon-dev/klaxon/audit"
)

// recordedEvents returns the events of the recorded attack that are matched.
func recordedEvents(t testing.TB) []*audit.Event {
	t.Helper()
	packed, err := os.ReadFile("../testdata/recorded/attack-window.mixed.jsonl.zst")
	if err != nil {
		t.Fatal(err)
	}
	d, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	text, err := d.DecodeAll(packed, nil)
	if err != nil {
		t.Fatal(err)
	}
	var events []*audit.Event
	for line := range bytes.Lines(text) {
		e := new(audit.Event)
		if err := audit.Scan(bytes.TrimSpace(line), e); err != nil {
			t.Fatal(err)
		}
		if e.Observed() {
			events = append(events, e)
		}
	}
	return events
}

// compare fails if the parts of a condition say something else than the whole.
// Where the whole cannot tell, the parts may be able to.
func compare(t *testing.T, m *Machine, c *Condition) Truth {
	t.Helper()
	want, wantErr := m.Whole(c)
	got, err := m.Eval(c)
	switch {
	case wantErr == nil && err == nil && got == truth(want):
	case errors.Is(wantErr, audit.ErrUnknown) && err == nil:
	case wantErr != nil && !errors.Is(wantErr, audit.ErrUnknown):
		// The parts may not need what fails.
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

// random makes conditions of the language's forms over a few fields.
type random struct{ *rand.Rand }

func (r random) pick(of ...string) string { return of[r.IntN(len(of))] }

func (r random) condition(depth int) string {
	if depth == 0 || r.IntN(4) == 0 {
		return r.comparison()
	}
	a, b := r.condition(depth-1), r.condition(depth-1)
	switch r.IntN(6) {
	case 0, 1:
		return fmt.Sprintf("(%s && %s)", a, b)
	case 2, 3:
		return fmt.Sprintf("(%s or %s)", a, b)
	case 4:
		return fmt.Sprintf("!(%s)", a)
	default:
		return fmt.Sprintf("(%s ? %s : %s)", r.comparison(), a, b)
	}
}

func (r random) comparison() string {
	words := []string{`"create"`, `"get"`, `"pods"`, `"secrets"`, `""`, `"a"`, `"kubectl"`, `"human"`, `"exec"`, `"\u202e\x00"`}
	field := r.pick("verb", "objectRef.resource", "objectRef.subresource", "objectRef.namespace", "userAgent", "actor.kind", "exec.command", "path")
	switch r.IntN(12) {
	case 0:
		return field + " " + r.pick("==", "!=", "startsWith", "endsWith", "contains") + " " + r.pick(words...)
	case 1:
		return fmt.Sprintf("%s %s [%s, %s]", field, r.pick("in", "not in"), r.pick(words...), r.pick(words...))
	case 2:
		return field + ` matches "^(cre|po|a)"`
	case 3:
		return r.pick("allowed", "denied", "dryRun", "actor.impersonating", "exec.tty")
	case 4:
		return fmt.Sprintf("responseStatus.code %s %d", r.pick("==", "!=", "<", "<=", ">", ">="), 200+r.IntN(3)*100)
	case 5:
		return fmt.Sprintf("responseStatus.code %s [200, 201, 403]", r.pick("in", "not in"))
	case 6:
		return fmt.Sprintf("%s %s %s", r.pick(words...), r.pick("in", "not in"), r.pick("user.groups", "sourceIPs"))
	case 7:
		return fmt.Sprintf(`%s(%s, # %s "g1"%s)`, r.pick("any", "all", "none"), r.pick("user.groups", "sourceIPs"), r.pick("==", "startsWith", "contains"), r.pick("", ` || # in ["10.0.0.1", "x"]`, ` && !(# endsWith "1")`))
	case 8:
		return r.pick(`any(containers, .privileged)`, `podSpec.hostPID`, `len(containers) > 1`, `object.kind == "Pod"`, `"x" in query`, `lower(verb) == "get"`)
	case 9:
		return field + " == " + r.pick("verb", "actor.namespace", "object.key")
	case 10:
		return r.pick("true", "false")
	default:
		return fmt.Sprintf("%s == %s", r.pick("allowed", "dryRun"), r.pick("true", "false", "denied"))
	}
}

func TestPartsMeanTheWholeOnRandomConditions(t *testing.T) {
	r := random{rand.New(rand.NewPCG(5, 6))}
	events := recordedEvents(t)
	m := NewMachine()
	truths := map[Truth]int{}
	for range 3_000 {
		c, err := compileCondition(r.condition(4))
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			m.Load(scopeOf(events[r.IntN(len(events))]))
			truths[compare(t, m, c)]++
		}
	}
	t.Log(truths)
	if min(truths[True], truths[False], truths[Unknown]) < 500 {
		t.Errorf("the conditions do not show all truths: %v", truths)
	}
}

// What the index leaves out is false.
func TestIndexLeavesOutWhatIsFalse(t *testing.T) {
	r := random{rand.New(rand.NewPCG(7, 8))}
	var conditions []*Condition
	for range 500 {
		c, err := compileCondition(r.condition(3))
		if err != nil {
			t.Fatal(err)
		}
		conditions = append(conditions, c)
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
