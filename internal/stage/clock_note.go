package stage

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"
)

// maxClockNote bounds a clock in the metadata of a position, bytes.
const maxClockNote = 3300

// tick is a clock as it stood before the record at an offset.
type tick struct {
	offset int64
	clock  clock
}

// ticks are ticks of one clock in order of offset.
type ticks []tick

// Ticks lie at least so many records apart, and at least a 32nd of what they
// span: there are a few hundred at most.
const (
	tickStep  = 256
	tickShare = 32
)

// add notes the clock before the record at next, if it is far enough from the
// last tick.
func (ts ticks) add(next int64, c clock) ticks {
	if n := len(ts); n > 0 && next-ts[n-1].offset < max(tickStep, (next-ts[0].offset)/tickShare) {
		return ts
	}
	return append(ts, tick{offset: next, clock: c.clone()})
}

// since drops the ticks that nobody needs who reads from an offset on: the first
// that is left lies before it or at it.
func (ts ticks) since(offset int64) ticks {
	n := 0
	for n+1 < len(ts) && ts[n+1].offset <= offset {
		n++
	}
	return slices.Delete(ts, 0, n)
}

func (c clock) clone() clock {
	copied := make(clock, len(c))
	for sender, times := range c {
		copied[sender] = slices.Clone(times)
	}
	return copied
}

// clockNote is a tick as the metadata of a position holds it.
type clockNote struct {
	Offset int64 `json:"offset"`
	Base   int64 `json:"base"` // the least time, in nanoseconds from 1970 on
	// Senders has the times of each sender by partition of Events: varints of
	// nanoseconds after Base and one, 0 where none was heard of.
	Senders map[string][]byte `json:"senders"`
}

// newClockNote notes a tick. Where there are too many senders, those that are
// behind all others are noted: they hold time up. The others are soon heard of
// again.
func newClockNote(t tick) *clockNote {
	n := &clockNote{Offset: t.offset, Senders: map[string][]byte{}}
	senders := slices.SortedFunc(maps.Keys(t.clock), func(a, b string) int {
		if c := least(t.clock[a]).Compare(least(t.clock[b])); c != 0 {
			return c
		}
		return strings.Compare(a, b)
	})
	if len(senders) > 0 {
		n.Base = least(t.clock[senders[0]]).UnixNano()
	}
	left := maxClockNote
	for _, sender := range senders {
		var packed []byte
		for _, at := range t.clock[sender] {
			var after uint64
			if !at.IsZero() {
				after = uint64(at.UnixNano()-n.Base) + 1
			}
			packed = binary.AppendUvarint(packed, after)
		}
		if left -= jsonLen(sender) + jsonLen(packed) + len(":,"); left < 0 {
			break
		}
		n.Senders[sender] = packed
	}
	return n
}

func jsonLen(v any) int {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings and bytes always encode
	}
	return len(text)
}

// least is the least time that was heard of, zero if there is none.
func least(times []time.Time) (first time.Time) {
	for _, t := range times {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

var errClockNote = errors.New("the times of a clock are cut off")

// tick is the reverse of newClockNote.
func (n *clockNote) tick() (tick, error) {
	t := tick{offset: n.Offset, clock: clock{}}
	for sender, packed := range n.Senders {
		var times []time.Time
		for len(packed) > 0 {
			after, size := binary.Uvarint(packed)
			if size <= 0 {
				return t, errClockNote
			}
			packed = packed[size:]
			var at time.Time
			if after > 0 {
				at = time.Unix(0, n.Base+int64(after-1)).UTC()
			}
			times = append(times, at)
		}
		t.clock[sender] = times
	}
	return t, nil
}
