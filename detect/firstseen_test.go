package detect

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

// A value is new to a key if the key has been known for the time of learning,
// without a longer silence, and has not shown the value for as long.
func TestFirstSeen(t *testing.T) {
	set := parseSet(t, `
id: new-agent
title: "{actor.name} {distinct}"
severity: low
when: allowed
window: {first_seen: userAgent, learn: 2h, by: [actor.name]}
suppress: 1h
`)
	const learn = 2 * time.Hour
	r := rand.New(rand.NewPCG(3, 1))
	total, streams := 0, 300
	for range streams {
		var matches []Match
		for i := range 20 + r.IntN(100) {
			at := base.Add(time.Duration(r.Int64N(int64(12 * time.Hour)))).Truncate(time.Microsecond)
			m := hit(fmt.Sprint("k", r.IntN(2)), i, at)
			m.Rule, m.Value = "new-agent", fmt.Sprint("v", r.IntN(12))
			matches = append(matches, m)
		}
		byTime := slices.Clone(matches)
		slices.SortFunc(byTime, func(a, b Match) int { return a.Event.Time.Compare(b.Event.Time) })
		want := map[string]bool{}
		for i, e := range byTime {
			since, fresh := e.Event.Time, true
			for _, before := range slices.Backward(byTime[:i]) {
				if before.Event.User != e.Event.User {
					continue
				}
				if since.Sub(before.Event.Time) > learn {
					break // a silence
				}
				since = before.Event.Time
				fresh = fresh && (before.Value != e.Value || e.Event.Time.Sub(since) > learn)
			}
			if e.Event.Time.Sub(since) >= learn && fresh {
				want[e.Event.EventID.String()] = true
			}
		}
		// They come up to lateness late, and some twice.
		type arrival struct {
			match *Match
			at    time.Time
		}
		var arrivals []arrival
		for i := range matches {
			for range 1 + r.IntN(5)/4 {
				arrivals = append(arrivals, arrival{&matches[i], matches[i].Event.Time.Add(time.Duration(r.Int64N(int64(Lateness))))})
			}
		}
		slices.SortStableFunc(arrivals, func(a, b arrival) int { return a.at.Compare(b.at) })
		w := NewWindows(set, Limits{})
		var log Memory
		var drafts []Draft
		for _, a := range arrivals {
			drafts = w.Add(a.match, log.Append(a.match), drafts)
			drafts = w.Advance(a.at.Add(-Lateness), drafts)
		}
		got := map[string]bool{}
		for _, f := range findings(t, &log, w.Finish(drafts)) {
			for _, e := range f.Events {
				got[e.EventID.String()] = true
			}
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Fatalf("new values (-model +engine):\n%s", diff)
		}
		total += len(want)
		if s := w.Stats(); s.Keys != 0 || s.Bytes != 0 {
			t.Fatalf("when all is over, %+v are held", s)
		}
	}
	t.Logf("%d new values in %d streams", total, streams)
	if total < 1_000 {
		t.Errorf("%d new values only", total)
	}
}
