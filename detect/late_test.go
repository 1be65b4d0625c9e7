package detect

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/klaxon-dev/klaxon/rules"
)

// step makes a match of a part of a rule of kindsSet by joe.
func step(rule rules.RuleID, part uint8, request int, at time.Time) Match {
	m := hit("joe", request, at)
	m.Rule, m.Part = rule, part
	return m
}

// What comes later than it may takes nothing back that was decided, and decides
// nothing that it cannot know.
func TestTooLateToDecide(t *testing.T) {
	start := base.Truncate(10 * time.Minute)
	type arriving struct {
		part  uint8
		at    time.Duration // after start
		after time.Duration // the watermark then
	}
	f := func(name string, rule rules.RuleID, arrivals []arriving, wantTooLate int64, want ...string) {
		t.Helper()
		w := &harness{Windows: NewWindows(kindsSet(t), Limits{}), log: map[int64]*Match{}}
		var said []Finding
		for i, a := range arrivals {
			said = w.Advance(start.Add(a.after), said)
			m := step(rule, a.part, i, start.Add(a.at))
			said = w.Add(&m, int64(i), said)
		}
		said = w.Advance(start.Add(24*time.Hour), said)
		var got []string
		for _, f := range said {
			got = append(got, fmt.Sprintf("%s %d of %v", f.State, f.Count, f.FirstSeen.Sub(start)))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if s := w.Stats(); s.TooLate != wantTooLate || s.Live != 0 || s.Keys != 0 {
			t.Errorf("%s: at the end %+v, want %d too late", name, s, wantTooLate)
		}
	}
	f("until, in time", "until", []arriving{{0, 0, 0}, {1, 2 * time.Minute, 0}, {2, time.Minute, 0}}, 0)
	f("until, after it was decided", "until", []arriving{{0, 0, 0}, {1, 2 * time.Minute, 0}, {2, time.Minute, 3 * time.Minute}}, 1, "open 2 of 0s", "closed 2 of 0s")
	f("all of it late, in order", "until", []arriving{{0, 0, time.Hour}, {2, time.Minute, time.Hour}, {1, 2 * time.Minute, time.Hour}}, 0)
	f("what was expected, in time", "absent", []arriving{{0, 0, 0}, {1, time.Minute, 0}}, 0)
	f("what was expected, after it was missed", "absent", []arriving{{0, 0, 0}, {1, time.Minute, 3 * time.Minute}}, 1, "open 1 of 0s", "closed 1 of 0s")
	f("all of it late", "absent", []arriving{{0, 0, time.Hour}, {1, time.Minute, time.Hour}}, 1)
	f("late, and decided later", "absent", []arriving{{0, 0, time.Minute}}, 0, "open 1 of 0s", "closed 1 of 0s")
}

// Times as nobody's clock has them open and close findings like any other: the
// first and the last year, before the epoch, at the very border of a bucket.
func TestHostileTimes(t *testing.T) {
	set := kindsSet(t)
	times := []time.Time{
		time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC),
		time.Unix(0, 0), time.UnixMicro(-1), base.Truncate(10 * time.Minute), base.Truncate(10 * time.Minute).Add(-time.Microsecond),
	}
	r := rand.New(rand.NewPCG(23, 24))
	found := map[string]int{}
	for range 300 {
		var matches []Match
		for _, rule := range set.Rules {
			for i := range 20 {
				m := step(rule.ID, uint8(r.IntN(len(rule.Parts))), 1000*len(matches)+i, times[r.IntN(len(times))].Add(time.Duration(r.IntN(3))*time.Microsecond))
				m.Event.Time = eventTime(m.Event.Time, time.Time{})
				if rule.Window.Value != nil {
					m.Value = fmt.Sprint(r.IntN(4))
				}
				matches = append(matches, m)
			}
		}
		want := model(set, matches)
		var log Memory
		run := &resumable{set: set, log: &log, windows: NewWindows(set, Limits{})}
		got := map[string]told{}
		for i := range matches {
			run.add(t, arrival{match: &matches[i]}, got)
		}
		run.advance(t, time.Date(10000, 1, 2, 0, 0, 0, 0, time.UTC), got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("findings (-model +engine):\n%s", diff)
		}
		for _, f := range want {
			found[f.Rule]++
		}
	}
	t.Logf("findings %v", found)
	for _, rule := range set.Rules {
		if found[string(rule.ID)] < 100 {
			t.Errorf("rule %s has %d findings: too few", rule.ID, found[string(rule.ID)])
		}
	}
}
