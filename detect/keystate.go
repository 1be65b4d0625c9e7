package detect

import (
	"math"
	"slices"

	"github.com/klaxon-dev/klaxon/rules"
)

// key is what is held of one rule and key: its matches, and the buckets in which
// they are a finding.
type key struct {
	id      Fingerprint
	of      *ruleKeys
	members []member  // sorted
	counted *[]uint64 // by member, the hash of the value that the window counts
	buckets []bucket  // those with a finding, in order
	decided int64     // until when a window that waits was looked at
	bytes   int64

	due          int64
	dueIndex     int
	in           *touched
	older, newer *key
}

// bucket is a stretch of event time with a finding.
type bucket struct {
	start, end int64
	due        int64  // when it closes, or is forgotten
	count      uint32 // when it was last counted
	news       uint32 // members since then
	announce   uint32 // the count at which it is announced again
	revision   uint32
	dropped    uint32 // requests that are not among the members any more
	saturated  bool   // some are
	closed     bool
}

// Estimates of memory in bytes.
const (
	keyBytes    = 260
	bucketBytes = 64
)

func (k *key) values() []uint64 {
	if k.counted == nil {
		return nil
	}
	return *k.counted
}

func (k *key) insert(at int, n member, value string) {
	k.members = insert(k.members, at, n)
	if k.of.rule.Window.Kind == rules.Distinct {
		if k.counted == nil {
			k.counted = new([]uint64)
		}
		*k.counted = insert(*k.counted, at, valueHash(value))
	}
}

// memberBytes is what one more member costs.
func (k *key) memberBytes() int64 {
	if k.counted != nil {
		return memberBytes + 8
	}
	return memberBytes
}

// remove takes members[lo:hi] out.
func (k *key) remove(lo, hi int) {
	k.members = slices.Delete(k.members, lo, hi)
	if k.counted != nil {
		*k.counted = slices.Delete(*k.counted, lo, hi)
	}
}

// bucket returns the bucket that begins at start, nil if it has no finding.
func (k *key) bucket(start int64) *bucket {
	for i := range k.buckets {
		if k.buckets[i].start == start {
			return &k.buckets[i]
		}
	}
	return nil
}

func (k *key) addBucket(b bucket) *bucket {
	at := 0
	for at < len(k.buckets) && k.buckets[at].start < b.start {
		at++
	}
	k.buckets = insert(k.buckets, at, b)
	return &k.buckets[at]
}

func (w *Windows) open(of *ruleKeys, id Fingerprint) *key {
	k := &key{id: id, of: of, decided: firstTime, due: math.MaxInt64}
	w.keys[id] = k
	of.live.push(k)
	w.due.push(k)
	w.grow(k, keyBytes)
	return k
}

func (w *Windows) grow(k *key, by int64) {
	k.bytes += by
	k.of.bytes += by
	w.bytes += by
}

// forget removes a key; nothing of it is live.
func (w *Windows) forget(k *key) {
	for i := range k.members {
		w.places.give(k.members[i].offset())
	}
	w.grow(k, -k.bytes)
	k.in.remove(k)
	w.due.remove(k)
	delete(w.keys, k.id)
}

// needed is since when a key's members may still decide something.
func (w *Windows) needed(k *key) int64 {
	window := &k.of.rule.Window
	since := w.mark() - hold(window).Microseconds()
	for i := range k.buckets {
		since = min(since, k.buckets[i].start-window.Within.Microseconds())
	}
	return since
}

// trim gives members up that decide nothing any more.
func (w *Windows) trim(k *key) {
	n := from(k.members, w.needed(k))
	for i := range n {
		w.places.give(k.members[i].offset())
	}
	k.remove(0, n)
	w.grow(k, -int64(n)*k.memberBytes())
}

// schedule sets when the key is next due.
func (w *Windows) schedule(k *key) {
	due := int64(math.MaxInt64)
	for i := range k.buckets {
		due = min(due, k.buckets[i].due)
	}
	window := &k.of.rule.Window
	if len(k.members) > 0 && len(k.buckets) == 0 {
		due = min(due, max(k.members[0].time, w.mark()-hold(window).Microseconds())+hold(window).Microseconds()+1)
	}
	if waits(window) {
		after := max(k.decided, w.mark())
		if window.Kind == rules.Absence {
			after -= window.Within.Microseconds()
		}
		if i := from(k.members, after+1); i < len(k.members) {
			next := k.members[i].time
			if window.Kind == rules.Absence {
				next += window.Within.Microseconds()
			}
			due = min(due, next)
		}
	}
	w.due.fall(k, due)
}
