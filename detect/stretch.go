package detect

import (
	"math"
	"time"

	"github.com/klaxon-dev/klaxon/rules"
)

// span is members[lo:hi] of a key.
type span struct{ lo, hi int }

// stretches finds, among the members of one key, the stretches that satisfy a
// window. It is used by one goroutine.
//
// A stretch ends with a member and holds all members of the last within before
// it. What a window asks of a stretch is a function of its members alone.
type stretches struct {
	seen  map[uint64]int // scratch
	found []span
}

// ends are the members that a stretch may end with: those of [from, to), and not
// after decided, in microseconds.
type ends struct{ from, to, decided int64 }

// of returns the satisfied stretches, overlapping ones joined, in order. The
// slice is reused by the next call. values are those of members, where the window
// counts values.
func (x *stretches) of(w *rules.Window, members []member, values []uint64, e ends) []span {
	x.found = x.found[:0]
	switch {
	case w.Kind == rules.Absence:
		x.absent(w, members, e)
	case w.Kind == rules.Sequence:
		x.sequence(w, members, values, e)
	case w.Kind == rules.FirstSeen:
		x.marked(members, e)
	case w.AtLeast <= 1:
		x.each(members, e)
	default:
		x.count(w, members, values, e)
	}
	return x.found
}

// add joins members[lo:hi] to what was found.
func (x *stretches) add(lo, hi int) {
	if n := len(x.found); n > 0 && lo <= x.found[n-1].hi {
		x.found[n-1].hi = max(hi, x.found[n-1].hi)
		return
	}
	x.found = append(x.found, span{lo, hi})
}

// each finds every member for itself.
func (x *stretches) each(members []member, e ends) {
	lo := from(members, e.from)
	hi := lo
	for hi < len(members) && members[hi].time < e.to && members[hi].time <= e.decided {
		hi++
	}
	if hi > lo {
		x.add(lo, hi)
	}
}

// marked finds the members that showed something new.
func (x *stretches) marked(members []member, e ends) {
	for i := from(members, e.from); i < len(members) && members[i].time < e.to; i++ {
		if members[i].part() == newToKey {
			x.add(i, i+1)
		}
	}
}

// count finds the stretches with enough requests, or enough values.
func (x *stretches) count(w *rules.Window, members []member, values []uint64, e ends) {
	if len(members) < w.AtLeast {
		return
	}
	if x.seen == nil {
		x.seen = map[uint64]int{}
	}
	clear(x.seen)
	counted := func(i int) uint64 {
		if w.Kind == rules.Distinct {
			return values[i]
		}
		return members[i].request
	}
	end := from(members, e.from)
	if end == len(members) {
		return
	}
	lo := from(members, members[end].time-w.Within.Microseconds())
	for i := lo; i < end; i++ {
		x.seen[counted(i)]++
	}
	for ; end < len(members) && members[end].time < e.to && members[end].time <= e.decided; end++ {
		x.seen[counted(end)]++
		for ; members[lo].time < members[end].time-w.Within.Microseconds(); lo++ {
			if c := counted(lo); x.seen[c] == 1 {
				delete(x.seen, c)
			} else {
				x.seen[c]--
			}
		}
		if len(x.seen) >= w.AtLeast {
			x.add(lo, end+1)
		}
	}
}

const never = math.MinInt64

// chain is a part of a sequence that may go on: when it began, and with which
// value.
type chain struct {
	began int64
	value uint64
}

// chains are the newest one, and the newest that began with another value.
type chains [2]chain

var noChains = chains{{began: never}, {began: never}}

// add takes a chain in if it is newer than what is known.
func (c *chains) add(n chain) {
	switch {
	case n.value == c[0].value || c[0].began == never:
		c[0] = chain{max(c[0].began, n.began), n.value}
	case n.began > c[0].began:
		c[0], c[1] = n, c[0]
	case n.began > c[1].began:
		c[1] = n
	}
}

// other returns when the newest chain began that began with another value.
func (c *chains) other(value uint64) int64 {
	if c[0].value != value {
		return c[0].began
	}
	return c[1].began
}

// sequence finds the stretches that hold a match of each step, in their order
// where that matters, and no until between.
func (x *stretches) sequence(w *rules.Window, members []member, values []uint64, e ends) {
	// begun holds, by step, the chains that have come to it; without order, when
	// the step was seen last.
	var begun [rules.MaxSteps]chains
	last := len(w.Steps) - 1
	reset := func() {
		for i := range begun {
			begun[i] = noChains
		}
	}
	reset()
	within := w.Within.Microseconds()
	whole := int64(never) // when the newest whole chain began
	lo := 0
	for i := from(members, e.from-within); i < len(members); i++ {
		m := &members[i]
		if m.time >= e.to || m.time > e.decided {
			return
		}
		var value uint64
		if values != nil {
			value = values[i]
		}
		switch part := m.part(); {
		case part > last:
			reset() // until
			continue
		case part == 0 || !w.Ordered:
			begun[part].add(chain{m.time, value})
		case part == last && values != nil:
			whole = max(whole, begun[part-1].other(value))
		default:
			for _, c := range begun[part-1] {
				if c.began != never {
					begun[part].add(c)
				}
			}
		}
		switch {
		case !w.Ordered:
			whole = max(whole, least(begun[:last+1]))
		case values == nil:
			whole = max(whole, begun[last][0].began)
		}
		if m.time < e.from || whole == never || whole < m.time-within {
			continue
		}
		for members[lo].time < m.time-within {
			lo++
		}
		x.add(lo, i+1)
	}
}

// least returns when the step was seen that was not seen for longest.
func least(steps []chains) int64 {
	least := steps[0][0].began
	for i := range steps {
		least = min(least, steps[i][0].began)
	}
	return least
}

// absent finds the members that nothing followed in time. A member is decided
// when the time in which it could be followed has passed.
func (x *stretches) absent(w *rules.Window, members []member, e ends) {
	within := w.Within.Microseconds()
	next := int64(math.MaxInt64) // of what was expected
	var lonely []int
	for i := len(members) - 1; i >= 0 && members[i].time >= e.from; i-- {
		m := &members[i]
		if m.part() > 0 {
			next = m.time
			continue
		}
		if m.time < e.to && m.time <= e.decided-within && next > m.time+within {
			lonely = append(lonely, i)
		}
	}
	for i := len(lonely) - 1; i >= 0; i-- {
		x.add(lonely[i], lonely[i]+1)
	}
}

// waits reports whether a late event can undo what a window found: it is then
// decided by the watermark.
func waits(w *rules.Window) bool {
	return w.Kind == rules.Absence || w.Kind == rules.FirstSeen || w.Kind == rules.Sequence && w.Until != nil
}

// hold is for how long after an event a window may still need it: until all that is
// within of it has come; where what comes between undoes a finding, until the
// buckets of all that it undid are over, so that a replay does not miss it.
func hold(r *rules.Rule) time.Duration {
	held := r.Window.Within + Lateness
	if waits(&r.Window) {
		held += r.Suppress
	}
	return held
}
