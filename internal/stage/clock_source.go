package stage

import (
	"maps"
	"slices"
	"time"
)

// clockStep is how far the time of a source comes before the windows hear of it.
const clockStep = time.Second

// toldAtOnce is how many senders one record speaks of.
const toldAtOnce = 512

// sourceClock is how far the senders' time has come in one partition of Events, and
// how much of that the windows have heard.
type sourceClock struct {
	senders map[string]reached
	newest  time.Time // of all senders
	told    time.Time // what newest was when the windows were told last
}

// reached is the newest time of receipt of one sender.
type reached struct{ now, told time.Time }

func newSourceClock() *sourceClock { return &sourceClock{senders: map[string]reached{}} }

// heard takes the time of receipt of a record. Of too many senders, new ones are
// not noted.
func (c *sourceClock) heard(sender string, received time.Time) {
	c.newest = later(c.newest, received)
	r, known := c.senders[sender]
	if !known && len(c.senders) >= maxSenders {
		c.forget()
	}
	if received.After(r.now) && (known || len(c.senders) < maxSenders) {
		r.now = received
		c.senders[sender] = r
	}
}

// forget drops the senders that fell silent and of whom all is told.
func (c *sourceClock) forget() {
	silent := c.newest.Add(-silence)
	maps.DeleteFunc(c.senders, func(_ string, r reached) bool { return r.now.Equal(r.told) && r.now.Before(silent) })
}

// tell returns what the windows are to hear, in portions: the times of all senders
// that have moved, once the newest has moved by a step, or, while it stands, that of
// one who catches up.
func (c *sourceClock) tell() []map[string]time.Time {
	if !c.due() {
		return nil
	}
	c.told = c.newest
	c.forget()
	var portions []map[string]time.Time
	moved := maps.Clone(c.senders)
	maps.DeleteFunc(moved, func(_ string, r reached) bool { return !r.now.After(r.told) })
	for some := range slices.Chunk(slices.Sorted(maps.Keys(moved)), toldAtOnce) {
		times := make(map[string]time.Time, len(some))
		for _, sender := range some {
			r := moved[sender]
			times[sender] = r.now
			c.senders[sender] = reached{now: r.now, told: r.now}
		}
		portions = append(portions, times)
	}
	return portions
}

func (c *sourceClock) due() bool {
	if c.newest.After(c.told) {
		return c.newest.Sub(c.told) >= clockStep
	}
	for _, r := range c.senders {
		if r.now.Sub(r.told) >= clockStep {
			return true
		}
	}
	return false
}
