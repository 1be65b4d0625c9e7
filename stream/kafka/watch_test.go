package kafka

import (
	"testing"
	"time"

	"github.com/klaxon-dev/klaxon/stream"
)

// A partition stalls if it has work and its handler neither reads nor commits for
// a while; without work it may rest for ever.
func TestStalled(t *testing.T) {
	now := time.Now()
	f := func(name string, committed, end int64, quiet, behind time.Duration, wantStalled bool, wantBehind time.Duration) {
		t.Helper()
		c := newClaim(nil, 0, place{position: stream.Position{Offset: committed}, end: end}, ticket{}, nil)
		c.progress.Store(now.Add(-quiet).UnixNano())
		c.newest.Store(now.Add(-behind).UnixNano())
		if got := c.stalled(now); got != wantStalled {
			t.Errorf("%s: stalled %v", name, got)
		}
		if got := c.behind(now).Round(time.Second); got != wantBehind {
			t.Errorf("%s: behind by %v, want %v", name, got, wantBehind)
		}
	}
	f("nothing to do", 5, 5, time.Hour, time.Hour, false, 0)
	f("at work", 5, 9, time.Second, 3*time.Second, false, 3*time.Second)
	f("at work for long", 5, 9, stalledAfter+time.Second, time.Hour, true, time.Hour)
	c := newClaim(nil, 0, place{end: 3}, ticket{}, nil)
	c.sawEnd(7)
	if c.sawEnd(5); c.lag() != 7 {
		t.Errorf("lag %d after a new leader's older end", c.lag())
	}

	c = newClaim(nil, 0, place{position: stream.Position{Offset: 3}, end: 3}, ticket{}, nil)
	c.progress.Store(now.Add(-time.Hour).UnixNano())
	if c.sawEnd(4); c.stalled(time.Now()) {
		t.Error("the first record after an hour is late at once")
	}
	c.progress.Store(now.Add(-time.Hour).UnixNano())
	if c.sawEnd(5); !c.stalled(time.Now()) {
		t.Error("more records make up for those that wait")
	}
}

// How far a group is behind is told also while it meets, when it matters most.
func TestLagWhileTheGroupMeets(t *testing.T) {
	m := &member{topic: "events", group: "readers", holds: map[int]*holding{}}
	m.holds[0] = &holding{claim: newClaim(m, 0, place{end: 7}, ticket{}, nil)}
	m.changed()
	metrics := &metrics{members: map[*member]struct{}{m: {}}}
	m.mu.Lock()
	defer m.mu.Unlock()
	if got := metrics.lags(time.Now())[[2]string{"events", "readers"}]; got.records != 7 {
		t.Errorf("the lag is %+v, want 7 records", got)
	}
}
