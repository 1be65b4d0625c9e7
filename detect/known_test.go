package detect

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/rules"
)

// apart is an engine whose two stages change their rules each by itself.
type apart struct {
	t        *testing.T
	matchers map[string]*Matcher // by the threshold of their rule
	windows  *Sharded
	log      Memory
	said     []Draft
	request  int
}

// thresholds are rules that differ in how many requests they want, and so in shape.
func thresholds(t *testing.T, atLeast string) *rules.Set {
	return setOf(t, ruleText("x", "low", `verb == "get"`, atLeast, "1h"))
}

func newApart(t *testing.T, windows *rules.Set) *apart {
	a := &apart{t: t, matchers: map[string]*Matcher{}, windows: NewSharded(windows, Limits{})}
	for _, n := range []string{"2", "3", "4"} {
		a.matchers[n] = NewMatcher(thresholds(t, n))
	}
	return a
}

// get matches one request of jane by the rule with a threshold. What the windows do
// not know they learn, as the definition of the rule tells it.
func (a *apart) get(by string, at time.Duration) {
	a.t.Helper()
	a.request++
	e := audit.Event{Stage: audit.StageResponseComplete, Verb: "get", StageTime: base.Add(at), AuditID: fmt.Sprint(a.request)}
	e.User.Username, e.ResponseStatus.Code = "jane", 200
	in := Input{Cluster: "c", Event: &e}
	in.ID[0], in.RequestID[0] = byte(a.request), byte(a.request)
	for _, m := range a.matchers[by].Match(&in, nil) {
		if !a.windows.Knows(m.Form()) {
			r, err := rules.ReadDefinition(thresholds(a.t, by).Rules[0].Definition)
			if err != nil || !a.windows.Learn(r) {
				a.t.Fatal("not learnt", err)
			}
		}
		a.said = a.windows.Add(&m, a.log.Append(&m), a.said)
	}
}

// was returns what was said since the last call, as "state count reason", in order.
func (a *apart) was() []string {
	a.t.Helper()
	said := []string{}
	for i := range a.said {
		f, err := a.said[i].Finding(a.log.Read)
		if err != nil {
			a.t.Fatal(err)
		}
		said = append(said, fmt.Sprintf("%s %d %s", f.State, f.Count, f.Reason))
	}
	a.said = a.said[:0]
	slices.Sort(said)
	return said
}

func (a *apart) want(when string, want ...string) {
	a.t.Helper()
	if diff := cmp.Diff(append([]string{}, want...), a.was()); diff != "" {
		a.t.Errorf("%s (-want +said):\n%s", when, diff)
	}
}

// The windows hear of a rule that they do not have, or have otherwise, before its
// files come: they gather by it, and go on when they come.
func TestMatchesOfNewerRules(t *testing.T) {
	f := func(name string, windows *rules.Set) {
		a := newApart(t, windows)
		a.get("3", 0)
		a.get("3", time.Minute)
		a.want(name + ": two")
		if n := a.windows.Others(); n != 1 {
			t.Errorf("%s: %d other rules are known, want 1", name, n)
		}
		a.windows.SetRules(thresholds(t, "3"))
		a.get("3", 2*time.Minute)
		a.want(name+": the third, after the files came", "open 3 ")
		a.said = a.windows.Advance(base.Add(2*time.Hour), a.said)
		a.want(name+": at the end of the hour", "closed 3 ")
	}
	f("changed", thresholds(t, "2"))
	f("new", setOf(t, ruleText("y", "low", `verb == "list"`, "2", "1h")))
}

// The windows have newer rules than who matches: what is on its way is gathered as
// before, until no more comes; then it closes with the reason.
func TestMatchesOfOlderRules(t *testing.T) {
	const idle = 5 * time.Minute
	f := func(name string, after *rules.Set, reason Reason) {
		a := newApart(t, thresholds(t, "3"))
		a.said = a.windows.Advance(base, a.said)
		a.get("3", 0)
		a.get("3", time.Minute)
		a.windows.SetRules(after)
		if n := a.windows.Others(); n != 0 {
			t.Errorf("%s: matches of %d other rules came, want none yet", name, n)
		}
		a.said = a.windows.Advance(base.Add(idle-1), a.said)
		a.said = a.windows.Retire(idle, a.said)
		a.want(name + ": two")
		a.get("3", 2*time.Minute)
		a.want(name+": the third, by the rule that was", "open 3 ")
		a.said = a.windows.Advance(base.Add(2*idle-2), a.said)
		a.said = a.windows.Retire(idle, a.said)
		a.want(name + ": not idle yet")
		a.said = a.windows.Advance(base.Add(2*idle-1), a.said)
		a.said = a.windows.Retire(idle, a.said)
		a.want(name+": idle", "closed 3 "+string(reason))
		if stats := a.windows.Stats(); stats.Keys != 0 || stats.Bytes != 0 || a.windows.Others() != 0 {
			t.Errorf("%s: %d keys, %d bytes, %d rules are left", name, stats.Keys, stats.Bytes, a.windows.Others())
		}
	}
	f("changed", thresholds(t, "2"), ReasonRuleChanged)
	f("removed", setOf(t, ruleText("y", "low", `verb == "list"`, "2", "1h")), ReasonRuleRemoved)
}

// While some match by the old rule and some by the new one, each is gathered by
// itself, and a replay with either set holds the same.
func TestMatchesOfBothRules(t *testing.T) {
	play := func(windows *rules.Set) *apart {
		a := newApart(t, windows)
		for i := range 3 {
			a.get("4", time.Duration(i)*time.Minute)
			a.get("3", time.Duration(i)*time.Minute)
		}
		return a
	}
	for _, has := range []string{"3", "4", "2"} {
		a := play(thresholds(t, has))
		a.want("three of each, with "+has, "open 3 ")
		if open := a.windows.Open(); len(open) != 1 {
			t.Errorf("%d are open, want 1", len(open))
		}
		a.get("4", 3*time.Minute)
		a.want("the fourth, with "+has, "open 4 ")
		if open := a.windows.Open(); len(open) != 1 { // of one rule and key
			t.Errorf("%d fingerprints are open, want 1", len(open))
		}
		a.said = a.windows.Advance(base.Add(2*time.Hour), a.said)
		a.want("at the end, with "+has, "closed 3 ", "closed 4 ")
	}
}

// Strangers cannot make windows know any number of rules.
func TestOthersAreBounded(t *testing.T) {
	w := NewSharded(thresholds(t, "2"), Limits{})
	for i := range MaxOthers + 10 {
		r, err := rules.ReadDefinition(setOf(t, ruleText(fmt.Sprint("x-", i), "low", `verb == "get"`, "2", "1h")).Rules[0].Definition)
		if err != nil {
			t.Fatal(err)
		}
		if learnt := w.Learn(r); learnt != (i < MaxOthers) {
			t.Fatalf("the %dth: %t", i+1, learnt)
		}
	}
	if n := len(w.known.others); n != MaxOthers || w.Others() != 0 {
		t.Errorf("%d others, %d of them matched", n, w.Others())
	}
}

// FuzzLearn gathers matches by what somebody says that their rule is: nothing that
// is taken may do harm.
func FuzzLearn(f *testing.F) {
	for _, r := range kindsSet(f).Rules {
		f.Add(r.Definition)
	}
	none := setOf(f)
	f.Fuzz(func(t *testing.T, definition []byte) {
		r, err := rules.ReadDefinition(definition)
		if err != nil {
			return
		}
		w := NewSharded(none, Limits{Members: 16})
		if !w.Learn(r) || !w.Knows(formOf(r)) {
			t.Fatal("it is not known")
		}
		var log Memory
		var said []Draft
		for i := range 40 {
			m := step(r.ID, uint8(i%(len(r.Parts)+1)), i, base.Add(time.Duration(i)*r.Window.Within/8))
			m.Shape, m.Value = r.Shape, fmt.Sprint(i%5)
			said = w.Add(&m, log.Append(&m), said)
			if i%7 == 0 {
				said = w.Advance(m.Event.Time, said)
			}
		}
		for _, d := range append(said, w.Retire(0, nil)...) {
			if _, err := d.Finding(log.Read); err != nil {
				t.Fatal(err)
			}
		}
		if stats := w.Stats(); stats.Keys != 0 || stats.Bytes != 0 {
			t.Errorf("%d keys, %d bytes are left", stats.Keys, stats.Bytes)
		}
	})
}
