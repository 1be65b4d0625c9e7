package spool

import (
	"errors"
	"sync"
	"time"

	"github.com/klaxon-dev/klaxon/stream"
)

// place is one partition.
type place struct {
	topic     string
	partition int
}

// spell is an outage of one partition.
type spell struct {
	since, last time.Time // its first and last refusal
}

// leastSilence is how long nobody must have tried, at least, for the next refusal
// to be of another outage: senders and heartbeats come every few seconds.
const leastSilence = time.Minute

// outage knows since when the target has refused records of each partition. It is
// safe for concurrent use.
type outage struct {
	after time.Duration

	mu     sync.Mutex
	spells map[place]spell // of what was refused when it was last tried
}

func newOutage(after time.Duration) *outage {
	return &outage{after: after, spells: map[place]spell{}}
}

// note takes what became of an Append, and reports whether some of its records
// have been refused for too long.
func (o *outage) note(now time.Time, topic string, records []stream.Record, err error) (tooLong bool) {
	refused := errors.Is(err, stream.ErrUnavailable)
	o.mu.Lock()
	defer o.mu.Unlock()
	if !refused && (err != nil || len(o.spells) == 0) {
		return false
	}
	for i := range records {
		at := place{topic, records[i].Partition}
		if !refused {
			delete(o.spells, at)
			continue
		}
		s, ok := o.spells[at]
		if !ok || now.Sub(s.last) > max(o.after, leastSilence) {
			s.since = now
		}
		s.last = now
		o.spells[at] = s
		tooLong = tooLong || now.Sub(s.since) >= o.after
	}
	return tooLong
}

// over forgets all.
func (o *outage) over() {
	o.mu.Lock()
	defer o.mu.Unlock()
	clear(o.spells)
}
