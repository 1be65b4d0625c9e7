package detect

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/internal/recorded"
	"github.com/klaxon-dev/klaxon/rules"
)

// delivered is an event as it comes in.
type delivered struct {
	*audit.Event
	at      time.Time // of its POST
	request audit.RequestID
}

// recording returns the events of a recording as its API server would have
// posted them: 400 at once, at the latest 30 s after they happened.
func recording(t *testing.T, name string) []delivered {
	t.Helper()
	var events []delivered
	for _, e := range recorded.Events(t, name) {
		events = append(events, delivered{Event: e, request: e.RequestID("c")})
	}
	const maxPost, maxWait = 400, 30 * time.Second
	for i := 0; i < len(events); {
		first := events[i].StageTime
		end := i
		for end < len(events) && end < i+maxPost && events[end].StageTime.Before(first.Add(maxWait)) {
			end++
		}
		for j := range events[i:end] {
			events[i+j].at = events[end-1].StageTime
		}
		i = end
	}
	return events
}

// late delivers every third POST four minutes late.
func late(events []delivered) []delivered {
	events = slices.Clone(events)
	post := 0
	var at time.Time
	for i := range events {
		if events[i].at != at {
			at = events[i].at
			post++
		}
		if post%3 == 0 {
			events[i].at = at.Add(4 * time.Minute)
		}
	}
	slices.SortStableFunc(events, func(a, b delivered) int { return a.at.Compare(b.at) })
	return events
}

// without leaves a stage out of every request that has another.
func without(events []delivered, stage string) []delivered {
	stages := map[audit.RequestID]map[string]bool{}
	for _, e := range events {
		if stages[e.request] == nil {
			stages[e.request] = map[string]bool{}
		}
		stages[e.request][e.Stage] = true
	}
	return slices.DeleteFunc(slices.Clone(events), func(e delivered) bool {
		return e.Stage == stage && len(stages[e.request]) > 1
	})
}

// group is a rule and one of its keys.
type group struct {
	rule rules.RuleID
	key  Fingerprint
}

// requestsOf returns the distinct requests of each rule and key, over all
// buckets, listed by findings or not.
func requestsOf(t *testing.T, set *rules.Set, events []delivered) map[group]map[uint64]bool {
	t.Helper()
	matcher, windows := NewMatcher(set), NewWindows(set, Limits{})
	var log Memory
	for i, e := range events {
		if i > 0 && e.at != events[i-1].at {
			windows.Advance(events[i-1].at.Add(-Lateness), nil)
		}
		in := Input{Cluster: "c", Received: e.at, RequestID: e.request, Event: e.Event}
		for _, m := range matcher.Match(&in, nil) {
			windows.Add(&m, log.Append(&m), nil)
		}
	}
	last := slices.MaxFunc(events, func(a, b delivered) int { return a.StageTime.Compare(b.StageTime) })
	windows.Advance(last.StageTime.Add(20*time.Minute), nil) // all is decided, nothing forgotten
	found := map[group]map[uint64]bool{}
	for k := range windows.keys.all() {
		for b := k.bucket; b != nil; b = b.next {
			windows.draft(k, b)
			g := group{k.of.rule.ID, k.id}
			if found[g] == nil {
				found[g] = map[uint64]bool{}
			}
			for r := range windows.scratch.requests {
				found[g][r] = true
			}
		}
	}
	return found
}

// How events come, and which stages a policy keeps, decides nothing: each rule
// finds the same requests for each key.
func TestDeliveryAndStagesDecideNothing(t *testing.T) {
	set := builtinSet(t)
	for _, name := range []string{"attack-window.mixed.jsonl.zst", "benign.jsonl.zst"} {
		events := recording(t, name)
		want := requestsOf(t, set, events)
		f := func(what string, changed []delivered) {
			t.Helper()
			got := requestsOf(t, set, changed)
			for g, requests := range want {
				if !maps.Equal(requests, got[g]) {
					t.Errorf("%s, %s: rule %s, a key: %d requests, want the same %d", name, what, g.rule, len(got[g]), len(requests))
				}
				delete(got, g)
			}
			for g := range got {
				t.Errorf("%s, %s: rule %s has a finding that it should not have", name, what, g.rule)
			}
		}
		if len(want) < 15 {
			t.Errorf("%s: %d rules and keys, too few to compare", name, len(want))
		}
		f("every third POST four minutes late", late(events))
		f("ResponseStarted left out", without(events, audit.StageResponseStarted))
		f("ResponseComplete left out", without(events, audit.StageResponseComplete))
		f("late, and ResponseStarted left out", late(without(events, audit.StageResponseStarted)))
	}
}
