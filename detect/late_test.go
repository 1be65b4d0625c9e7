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

// However late events come, and however little is held: a finding that opens
// closes, lists events, and is let go.
func TestEveryFindingCloses(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	total, evicted, late := 0, int64(0), int64(0)
	for range 400 {
		set := randomSet(t, r)
		matches, _ := stream(r, set)
		w := NewWindows(set, Limits{KeysPerRule: 1 + r.IntN(3), Members: 16, Bytes: int64(2_000 + r.IntN(20_000))})
		var log Memory
		open := map[FindingID]State{}
		note := func(drafts []Draft) {
			for i := range drafts {
				f, err := drafts[i].Finding(log.Read)
				if err != nil {
					t.Fatal(err)
				}
				if len(f.Events) == 0 || f.Count < 1 || f.ID == (FindingID{}) {
					t.Fatalf("a finding without events: %+v", f)
				}
				open[f.ID] = f.State
			}
		}
		r.Shuffle(len(matches), func(i, j int) { matches[i], matches[j] = matches[j], matches[i] })
		mark := base
		for i := range matches {
			note(w.Add(&matches[i], log.Append(&matches[i]), nil))
			if r.IntN(5) == 0 {
				mark = mark.Add(time.Duration(r.IntN(120)) * time.Second)
				note(w.Advance(mark, nil))
			}
			if held := w.Stats().Bytes; held > w.limits.Bytes && w.Stats().Keys > 1 {
				t.Fatalf("%d bytes are held, more than %d", held, w.limits.Bytes)
			}
			for id, of := range w.rules {
				if of.live.count > w.limits.KeysPerRule || of.spent.count > w.limits.KeysPerRule {
					t.Fatalf("rule %s has %d keys and %d that were evicted, at most %d", id, of.live.count, of.spent.count, w.limits.KeysPerRule)
				}
			}
		}
		evicted += w.Stats().Evicted
		late += w.Stats().Late + w.Stats().TooLate
		if r.IntN(2) == 0 {
			note(w.Finish(nil))
		} else {
			note(w.Advance(base.Add(100*time.Hour), nil))
		}
		for id, state := range open {
			if state != StateClosed {
				t.Fatalf("finding %s stays %s", id, state)
			}
		}
		if s := w.Stats(); s.Keys != 0 || s.Bytes != 0 || s.Live != 0 {
			t.Fatalf("when all is over, %+v are held", s)
		}
		total += len(open)
	}
	t.Logf("%d findings, %d keys evicted, %d late", total, evicted, late)
	if total < 5_000 || evicted < 10_000 || late < 1_000 {
		t.Error("too few of a kind")
	}
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
