package detect

import (
	"math"
	"slices"

	"github.com/klaxon-dev/klaxon/rules"
)

// key is what is held of one rule and key: its matches, and the buckets in which
// they are a finding. There may be a million: what few keys need lies apart.
type key struct {
	id           Fingerprint
	of           *ruleKeys
	members      []member // sorted
	bucket       *bucket  // the first of those with a finding, in order of time
	more         *more
	due          int64
	older, newer *key  // in the order of touch
	dueIndex     int32 // in the heap of what is due
	spent        bool  // it was evicted
}

// more is what keys of some kinds of windows have.
type more struct {
	values  []uint64 // by member, the hash of the value that the window counts
	decided int64    // until when a window that waits was looked at
	learned learned  // first_seen
}

// bucket is a stretch of event time with a finding.
type bucket struct {
	start     int64
	due       int64  // when it closes, or is forgotten
	count     uint32 // when it was last counted
	news      uint32 // members since then
	announce  uint32 // the count at which it is announced again
	dropped   uint32 // requests that are not among the members any more
	saturated bool   // some are
	closed    bool
	next      *bucket
}

// Estimates of memory in bytes.
const (
	keyBytes    = 176
	moreBytes   = 96
	bucketBytes = 48
)

// hasMore reports whether keys of a window have more.
func hasMore(w *rules.Window) bool { return w.Value != nil || waits(w) }

func (k *key) values() []uint64 {
	if k.more == nil {
		return nil
	}
	return k.more.values
}

// holds reports whether a member is held already.
func (k *key) holds(n *member) bool {
	_, known := search(k.members, n)
	return known
}

func (k *key) insert(at int, n member, value string) {
	k.members = insert(k.members, at, n)
	if k.of.rule.Window.Value != nil {
		k.more.values = insert(k.more.values, at, valueHash(value))
	}
}

// memberBytes is what one more member costs.
func (k *key) memberBytes() int64 {
	if k.of.rule.Window.Value != nil {
		return memberBytes + 8
	}
	return memberBytes
}

// remove takes members[lo:hi] out.
func (k *key) remove(lo, hi int) {
	k.members = slices.Delete(k.members, lo, hi)
	if k.of.rule.Window.Value != nil {
		k.more.values = slices.Delete(k.more.values, lo, hi)
	}
}

// move copies a member to an earlier place.
func (k *key) move(to, i int) {
	k.members[to] = k.members[i]
	if k.of.rule.Window.Value != nil {
		k.more.values[to] = k.more.values[i]
	}
}

// at returns the bucket that begins at start, nil if it has no finding.
func (k *key) at(start int64) *bucket {
	b := k.bucket
	for b != nil && b.start != start {
		b = b.next
	}
	return b
}

func (k *key) add(b *bucket) {
	place := &k.bucket
	for *place != nil && (*place).start < b.start {
		place = &(*place).next
	}
	b.next = *place
	*place = b
}

func (k *key) drop(b *bucket) {
	place := &k.bucket
	for *place != b {
		place = &(*place).next
	}
	*place = b.next
}

// end is where a bucket of the key's rule ends.
func (k *key) end(b *bucket) int64 {
	if k.of.rule.Suppress <= 0 {
		return lastTime
	}
	return b.start + k.of.rule.Suppress.Microseconds()
}

// bytes is the memory of the key, by estimate.
func (k *key) bytes() int64 {
	n := keyBytes + int64(len(k.members))*k.memberBytes()
	for b := k.bucket; b != nil; b = b.next {
		n += bucketBytes
	}
	if k.more != nil {
		n += moreBytes + valueBytes*int64(len(k.more.learned.last))
	}
	return n
}

func (w *Windows) open(of *ruleKeys, id Fingerprint) *key {
	k := &key{id: id, of: of, due: math.MaxInt64}
	if hasMore(&of.rule.Window) {
		k.more = &more{decided: firstTime}
	}
	w.keys.put(k)
	of.live.push(k)
	w.due.push(k)
	w.grow(k, k.bytes())
	return k
}

func (w *Windows) grow(k *key, by int64) {
	k.of.bytes += by
	w.bytes += by
}

// forget removes a key; nothing of it is live.
func (w *Windows) forget(k *key) {
	for i := range k.members {
		w.places.give(k.members[i].offset())
	}
	w.grow(k, -k.bytes())
	k.owner().remove(k)
	w.due.remove(k)
	w.keys.remove(k)
}

// needed is since when a key's members may still decide something.
func (w *Windows) needed(k *key) int64 {
	rule := k.of.rule
	since := w.mark() - hold(rule).Microseconds()
	for b := k.bucket; b != nil; b = b.next {
		since = min(since, b.start-rule.Window.Within.Microseconds())
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
	window := &k.of.rule.Window
	due := int64(math.MaxInt64)
	for b := k.bucket; b != nil; b = b.next {
		due = min(due, b.due)
	}
	switch {
	case window.Kind == rules.FirstSeen:
		due = min(due, w.mark()+window.Learn.Microseconds()) // what it has shown is looked through
	case len(k.members) > 0 && k.bucket == nil:
		held := hold(k.of.rule).Microseconds()
		due = min(due, max(k.members[0].time, w.mark()-held)+held+1)
	}
	if waits(window) {
		due = min(due, k.undecided(w.mark()))
	}
	w.due.fall(k, due)
}

// undecided returns when the next member of a window that waits is decided.
func (k *key) undecided(mark int64) int64 {
	window := &k.of.rule.Window
	var late int64
	if window.Kind == rules.Absence {
		late = window.Within.Microseconds()
	}
	i := from(k.members, max(k.more.decided, mark)-late+1)
	if i == len(k.members) {
		return math.MaxInt64
	}
	return k.members[i].time + late
}
