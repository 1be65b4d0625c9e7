package detect

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/klaxon-dev/klaxon/audit"
)

// member is a match as a window keeps it: what decides, and where in the log the
// rest lies.
type member struct {
	time    int64  // event time, microseconds since 1970
	place   uint64 // part of the rule, offset in the log
	request uint64 // the beginning of the request's id
	event   audit.EventID
}

const (
	memberBytes = 40
	partShift   = 56
)

func newMember(m *Match, offset int64) member {
	return member{
		time:    m.Event.Time.UnixMicro(),
		place:   uint64(m.Part)<<partShift | uint64(offset),
		request: binary.BigEndian.Uint64(m.Event.RequestID[:8]),
		event:   m.Event.EventID,
	}
}

func (m *member) part() int     { return int(m.place >> partShift) }
func (m *member) offset() int64 { return int64(m.place &^ (0xff << partShift)) }

// compare orders members by time. Of one event the later part comes first: so an
// event never follows itself in a sequence.
func (m *member) compare(n *member) int {
	return cmp.Or(cmp.Compare(m.time, n.time), slices.Compare(m.event[:], n.event[:]), cmp.Compare(n.part(), m.part()))
}

// search returns where in a sorted list m belongs, and whether it is there.
func search(list []member, m *member) (int, bool) {
	if n := len(list); n == 0 || list[n-1].compare(m) < 0 {
		return n, false // the usual case: time goes on
	}
	return slices.BinarySearchFunc(list, m, func(e member, m *member) int { return e.compare(m) })
}

// from returns the index of the first member at or after a time.
func from(list []member, time int64) int {
	i, _ := slices.BinarySearchFunc(list, time, func(e member, t int64) int { return cmp.Compare(e.time, t) })
	return i
}

// insert is slices.Insert, growing by little: there are many short lists.
func insert[T any](list []T, at int, e T) []T {
	if len(list) == cap(list) {
		list = append(make([]T, 0, len(list)+1+len(list)/8), list...)
	}
	return slices.Insert(list, at, e)
}
