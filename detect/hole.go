package detect

import (
	"slices"
	"time"
)

// Hole is a stretch of event time of which some events were lost before they
// were read: retention was shorter than an outage.
type Hole struct {
	From time.Time `json:"from"` // zero: nobody knows
	To   time.Time `json:"to"`
}

// maxHoles bounds how many holes are told apart: they are noted beside a position.
const maxHoles = 3

// holes are what is known of holes, in order and apart.
type holes []Hole

// add returns h with one more. Holes that touch become one; so do the last two
// of too many.
func (h holes) add(one Hole) holes {
	all := append(slices.Clone(h), one)
	slices.SortFunc(all, func(a, b Hole) int { return a.From.Compare(b.From) })
	var apart holes
	for _, one := range all {
		if n := len(apart); n > 0 && (n == maxHoles || !one.From.After(apart[n-1].To)) {
			if one.To.After(apart[n-1].To) {
				apart[n-1].To = one.To
			}
			continue
		}
		apart = append(apart, one)
	}
	return apart
}

// since returns h without the holes that end before a time.
func (h holes) since(t time.Time) holes {
	return slices.DeleteFunc(slices.Clone(h), func(one Hole) bool { return one.To.Before(t) })
}

// touch reports whether a hole is in [from, to], microseconds.
func (h holes) touch(from, to int64) bool {
	return slices.ContainsFunc(h, func(one Hole) bool {
		return (one.From.IsZero() || one.From.UnixMicro() <= to) && from <= one.To.UnixMicro()
	})
}

// degraded reports whether a hole may have taken an event of a bucket's finding,
// which lists some of the key's members, in order.
func (w *Windows) degraded(k *key, b *bucket, listed []int) bool {
	if len(w.holes) == 0 || len(listed) == 0 {
		return false
	}
	within := k.of.rule.Window.Within.Microseconds()
	from, to := b.start, k.end(b)
	if to == lastTime { // the bucket is a request: what is near it counts
		from, to = k.members[listed[0]].time, k.members[listed[len(listed)-1]].time+within
	}
	return w.holes.touch(from-within, to)
}
