package store

import (
	"time"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/stream"
)

const (
	// horizon is how long the ids of a partition are remembered, by the times at
	// which the log took the records.
	horizon = 15 * time.Minute
	// skew is how far an API server's clock may be from the log's.
	skew = 5 * time.Minute
)

// seen is the set of the ids of the records [from, next) of one partition:
// exactly those, so that whoever restores it from the same two offsets decides
// the same. It is used by one goroutine.
type seen struct {
	newest   map[audit.EventID]int // the number of the last segment that holds the id
	segments []segment             // in order
	number   int                   // of the last segment
	size     int                   // ids in all segments, copies included
}

// segment is a range of records that are forgotten together.
type segment struct {
	from        int64
	first, last time.Time // when the log took its first and last record
	number      int
	ids         []audit.EventID
}

func newSeen() *seen { return &seen{newest: make(map[audit.EventID]int)} }

// begin opens a segment for the ids of the records, at least one.
func (s *seen) begin(records []stream.Record) {
	s.number++
	s.segments = append(s.segments, segment{
		from:   records[0].Offset,
		first:  records[0].Time,
		last:   records[len(records)-1].Time,
		number: s.number,
	})
}

// add puts an id into the open segment and reports whether the set held it.
func (s *seen) add(id audit.EventID) (before bool) {
	_, before = s.newest[id]
	last := &s.segments[len(s.segments)-1]
	last.ids = append(last.ids, id)
	s.newest[id] = last.number
	s.size++
	return before
}

// trim forgets the segments that ended before the time and, while more than max
// ids are held, the oldest ones.
func (s *seen) trim(before time.Time, max int) {
	for len(s.segments) > 0 && (s.segments[0].last.Before(before) || s.size > max) {
		s.forget()
	}
}

// forget drops the oldest segment. Ids that a later one holds too stay.
func (s *seen) forget() {
	oldest := &s.segments[0]
	for _, id := range oldest.ids {
		if s.newest[id] == oldest.number {
			delete(s.newest, id)
		}
	}
	s.size -= len(oldest.ids)
	*oldest = segment{}
	s.segments = s.segments[1:]
}

// start returns the offset from which on the set holds all ids, next where it
// holds none.
func (s *seen) start(next int64) int64 {
	if len(s.segments) == 0 {
		return next
	}
	return s.segments[0].from
}

// covers reports whether an event of time ts, in a record that the log took at
// the time taken, would be in the set if it had come before.
func (s *seen) covers(ts, taken time.Time) bool {
	since := s.segments[0].first
	return ts.After(since.Add(skew)) && !ts.After(taken.Add(skew))
}
