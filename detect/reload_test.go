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

// ruleText is a rule with what a test changes of it.
func ruleText(id, severity, when, atLeast, suppress string) string {
	return fmt.Sprintf("id: %s\ntitle: \"{actor.name}\"\nseverity: %s\nwhen: %s\nwindow: {at_least: %s, within: 10m, by: [actor.name]}\nsuppress: %s\n",
		id, severity, when, atLeast, suppress)
}

func setOf(t testing.TB, texts ...string) *rules.Set {
	t.Helper()
	var all []*rules.Rule
	for _, text := range texts {
		found, problems := rules.Parse("x.yaml", []byte(text), rules.OriginUser)
		if len(problems) > 0 {
			t.Fatal(problems.Error())
		}
		all = append(all, found...)
	}
	set, _ := rules.NewSet(all)
	return set
}

// reloading is an engine whose rules change, with its log of matches.
type reloading struct {
	t       *testing.T
	matcher *Matcher
	windows *Windows
	log     Memory
	matches []Match
	said    []Draft
	request int
}

func newReloading(t *testing.T, set *rules.Set) *reloading {
	return &reloading{t: t, matcher: NewMatcher(set), windows: NewWindows(set, Limits{})}
}

// get matches one request of jane.
func (r *reloading) get(at time.Duration) {
	r.request++
	e := audit.Event{Stage: audit.StageResponseComplete, Verb: "get", StageTime: base.Add(at), AuditID: fmt.Sprint(r.request)}
	e.User.Username, e.ResponseStatus.Code = "jane", 200
	in := Input{Cluster: "c", Event: &e}
	in.ID[0], in.RequestID[0] = byte(r.request), byte(r.request)
	for _, m := range r.matcher.Match(&in, nil) {
		r.matches = append(r.matches, m)
		r.said = r.windows.Add(&m, r.log.Append(&m), r.said)
	}
}

func (r *reloading) setRules(set *rules.Set) {
	r.windows.SetRules(set)
	r.said = r.windows.Retire(0, r.said)
	r.matcher = NewMatcher(set)
}

// saidOf are the findings that were said in a state, as "rule count", in order.
func saidOf(t *testing.T, log *Memory, said []Draft, state State) []string {
	t.Helper()
	texts := []string{}
	for i := range said {
		if said[i].State != state {
			continue
		}
		f, err := said[i].Finding(log.Read)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, fmt.Sprintf("%s %d %s", f.Rule, f.Count, f.Severity))
	}
	slices.Sort(texts)
	return texts
}

func TestSetRules(t *testing.T) {
	const when = `verb == "get"`
	before := ruleText("x", "low", when, "2", "1h")
	f := func(name, after string, wantChanged int64, wantClosed, wantAtLast []string) {
		t.Helper()
		r := newReloading(t, setOf(t, before, ruleText("other", "low", when, "3", "1h")))
		r.get(0)
		r.get(time.Minute)
		next := setOf(t, after, ruleText("other", "low", when, "3", "1h"))
		r.setRules(next)
		for _, d := range r.said {
			if d.State == StateClosed && (d.Reason == ReasonRuleRemoved) != (next.Rule("x") == nil) || d.Reason == ReasonLost {
				t.Errorf("%s: closed for the reason %q", name, d.Reason)
			}
		}
		if diff := cmp.Diff(wantClosed, saidOf(t, &r.log, r.said, StateClosed)); diff != "" {
			t.Errorf("%s: closed by the change (-want +got):\n%s", name, diff)
		}
		r.said = nil
		for i := range 3 {
			r.get(time.Duration(2+i) * time.Minute)
		}
		stats := r.windows.Stats()
		if stats.Changed != wantChanged {
			t.Errorf("%s: %d keys and matches of changed rules, want %d", name, stats.Changed, wantChanged)
		}
		r.said = r.windows.Finish(r.said)
		if diff := cmp.Diff(wantAtLast, saidOf(t, &r.log, r.said, StateClosed)); diff != "" {
			t.Errorf("%s: closed at last (-want +got):\n%s", name, diff)
		}
		// A replay of the log with the new set holds what was held.
		again := NewWindows(next, Limits{})
		var said []Draft
		for i := range r.matches {
			said = again.Add(&r.matches[i], int64(i), said)
		}
		if diff := cmp.Diff(wantAtLast, saidOf(t, &r.log, again.Finish(said), StateClosed)); diff != "" {
			t.Errorf("%s: closed after a replay (-want +got):\n%s", name, diff)
		}
	}
	none := []string{}
	f("nothing", before, 0, none, []string{"other 5 low", "x 5 low"})
	f("severity", ruleText("x", "high", when, "2", "1h"), 0, none, []string{"other 5 low", "x 5 high"})
	f("condition", ruleText("x", "low", `verb in ["get", "list"]`, "2", "1h"), 0, none, []string{"other 5 low", "x 5 low"})
	f("condition that holds no more", ruleText("x", "low", `verb == "list"`, "2", "1h"), 0, none, []string{"other 5 low", "x 2 low"})
	f("number", ruleText("x", "low", when, "3", "1h"), 1, []string{"x 2 low"}, []string{"other 5 low", "x 3 low"})
	f("suppress", ruleText("x", "low", when, "2", "2h"), 1, []string{"x 2 low"}, []string{"other 5 low", "x 3 low"})
	f("gone", ruleText("y", "low", when, "2", "1h"), 1, []string{"x 2 low"}, []string{"other 5 low", "y 3 low"})
}

// What a rule held is not held any more once it is dropped: neither memory nor log.
func TestSetRulesLetsGo(t *testing.T) {
	r := newReloading(t, setOf(t, ruleText("x", "low", `verb == "get"`, "2", "1h")))
	for i := range 5 {
		r.get(time.Duration(i) * time.Minute)
	}
	if p := r.windows.Horizon(5); p.Offset != 0 {
		t.Fatalf("horizon %d, want 0", p.Offset)
	}
	r.setRules(setOf(t, ruleText("x", "low", `verb == "get"`, "3", "1h")))
	stats := r.windows.Stats()
	if stats.Keys != 0 || stats.Bytes != 0 || stats.Live != 0 {
		t.Errorf("%d keys, %d bytes, %d live findings are left", stats.Keys, stats.Bytes, stats.Live)
	}
	if p := r.windows.Horizon(5); p.Offset != 5 {
		t.Errorf("horizon %d, want 5", p.Offset)
	}
}
