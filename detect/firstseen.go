package detect

import "github.com/klaxon-dev/klaxon/rules"

// learned is what a key has shown, by hash of the value.
type learned struct {
	since  int64            // the key's first event after a silence longer than the time of learning
	newest int64            // its last one
	last   map[uint64]int64 // when a value was last seen
}

// maxLearned bounds the values that a key is remembered by. A key that shows more
// is no key to learn values of: nothing is new to it any more.
const maxLearned = 10_000

const valueBytes = 40

// newToKey says with which part a member is marked that showed something new.
const newToKey = 1

// learn goes through the members that the watermark has passed, in order of time:
// those that show nothing new are given up, the others are marked.
func (w *Windows) learn(k *key, after, until int64) {
	window := &k.of.rule.Window
	i := from(k.members, after)
	for i < len(k.members) && k.members[i].time <= until {
		m := &k.members[i]
		if m.part() == newToKey {
			i++
			continue
		}
		if !w.isNew(k, m.time, k.values()[i], window) {
			w.places.give(m.offset())
			k.remove(i, i+1)
			w.grow(k, -k.memberBytes())
			continue
		}
		m.place |= newToKey << partShift
		i++
	}
}

// isNew learns a value and reports whether the key, which has been known for long
// enough, had not shown it for as long.
func (w *Windows) isNew(k *key, at int64, value uint64, window *rules.Window) bool {
	l := &k.more.learned
	if l.last == nil {
		*l = learned{since: at, newest: at, last: map[uint64]int64{}}
	}
	learn := window.Learn.Microseconds()
	last, seen := l.last[value]
	if !seen {
		if len(l.last) >= maxLearned {
			return false
		}
		w.grow(k, valueBytes)
	}
	l.last[value] = max(at, last)
	if at-l.newest > learn {
		l.since = at
	}
	l.since, l.newest = min(l.since, at), max(l.newest, at)
	return at-l.since >= learn && (!seen || at-last > learn)
}

// remembers reports whether a key has shown anything that still counts, and
// forgets what does not.
func (w *Windows) remembers(k *key) bool {
	if k.of.rule.Window.Kind != rules.FirstSeen {
		return false
	}
	old := w.mark() - k.of.rule.Window.Learn.Microseconds()
	for value, last := range k.more.learned.last {
		if last < old {
			delete(k.more.learned.last, value)
			w.grow(k, -valueBytes)
		}
	}
	return len(k.more.learned.last) > 0
}
