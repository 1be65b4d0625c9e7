package stage

import (
	"maps"
	"slices"
	"time"

	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/internal/topic"
)

// silence is how far a sender may fall behind the newest one before time goes on
// without it: it is gone.
const silence = 5 * time.Minute

// maxSenders bounds those whose time is known: one for each credential at each
// process that takes events. Others hold no time up.
const maxSenders = 2048

// clock is how far the senders' time has come, by sender: the received time of
// the newest record in each partition of Events, zero where none was heard of.
type clock map[string][]time.Time

// heard takes a clock of one source and returns the watermark: the least time that
// a living sender has come to in any partition, less the allowed lateness. A
// partition that lags holds it up, and so does one that was not heard of yet; a
// sender that fell silent in all of them does not.
func (c clock) heard(m *topic.Match) time.Time {
	for _, sender := range slices.Sorted(maps.Keys(m.Times)) {
		c.note(sender, m)
	}
	newest := m.Received // also of one for whom there is no room: it makes room
	for _, times := range c {
		newest = later(newest, latest(times))
	}
	least := newest
	for sender, times := range c {
		if latest(times).Before(newest.Add(-silence)) {
			delete(c, sender)
			continue
		}
		for _, t := range times {
			if t.Before(least) {
				least = t
			}
		}
	}
	if least.IsZero() {
		return least
	}
	return least.Add(-detect.Lateness)
}

func (c clock) note(sender string, m *topic.Match) {
	times := c[sender]
	if times == nil && len(c) >= maxSenders {
		return
	}
	if len(times) != m.Sources {
		times = make([]time.Time, m.Sources)
		c[sender] = times
	}
	times[m.Source] = later(times[m.Source], m.Times[sender])
}

func latest(times []time.Time) (newest time.Time) {
	for _, t := range times {
		newest = later(newest, t)
	}
	return newest
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
