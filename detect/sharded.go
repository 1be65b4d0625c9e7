package detect

import (
	"encoding/binary"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/klaxon-dev/klaxon/rules"
)

// Shards is how many virtual shards the keys of findings are spread over. It is
// fixed for good: state and its bounds belong to a shard, whichever process
// holds it and however many others it holds.
const Shards = 64

// Shard returns the virtual shard of a rule and key.
func (f Fingerprint) Shard() int { return int(binary.BigEndian.Uint16(f[:2]) % Shards) }

// Sharded are the [Windows] of any of the shards, each with its part of the
// bounds: what is given up for room in one does not depend on the others. It is
// used by one goroutine.
type Sharded struct {
	known     *known
	limits    Limits // of a shard
	watermark time.Time
	holes     holes
	shards    [Shards]*Windows // nil: no match of it was seen
}

// NewSharded returns the windows of a set's rules; limits are those of all
// shards together.
func NewSharded(set *rules.Set, limits Limits) *Sharded {
	limits = limits.withDefaults()
	limits.KeysPerRule = (limits.KeysPerRule + Shards - 1) / Shards
	limits.Bytes = (limits.Bytes + Shards - 1) / Shards
	return &Sharded{known: newKnown(set), limits: limits}
}

// Add is [Windows.Add] of the match's shard.
func (s *Sharded) Add(m *Match, offset int64, dst []Draft) []Draft {
	n := m.Fingerprint().Shard()
	if s.shards[n] == nil {
		s.shards[n] = newWindows(s.known, s.limits)
		s.shards[n].watermark, s.shards[n].holes = s.watermark, s.holes
	}
	return s.shards[n].Add(m, offset, dst)
}

// Advance is [Windows.Advance] of all shards.
func (s *Sharded) Advance(watermark time.Time, dst []Draft) []Draft {
	if !watermark.After(s.watermark) {
		return dst
	}
	s.watermark = watermark
	return advance(s.seen, watermark, dst)
}

// advance moves the watermark of some windows: what is due in any of them comes in
// order of when it is due.
func advance(all iter.Seq[*Windows], watermark time.Time, dst []Draft) []Draft {
	for w := range all {
		w.watermark = watermark
	}
	for w := firstDue(all); w != nil; w = firstDue(all) {
		dst = w.end(w.due[0], dst)
	}
	for w := range all {
		dst = w.shrink(dst)
	}
	return dst
}

// firstDue returns the windows with the key that is due first, nil if none is.
func firstDue(all iter.Seq[*Windows]) *Windows {
	var first *Windows
	for w := range all {
		if len(w.due) > 0 && w.due[0].due <= w.mark() && (first == nil || before(w.due[0], first.due[0])) {
			first = w
		}
	}
	return first
}

// seen calls yield with each shard that has windows.
func (s *Sharded) seen(yield func(*Windows) bool) {
	for _, w := range s.shards {
		if w != nil && !yield(w) {
			return
		}
	}
}

// Finish is [Windows.Finish] of all shards.
func (s *Sharded) Finish(dst []Draft) []Draft { return finish(s.seen, s.Advance, dst) }

// finish moves the time of some windows to that of their newest match, and closes
// what is then open, by fingerprint.
func finish(all iter.Seq[*Windows], advance func(time.Time, []Draft) []Draft, dst []Draft) []Draft {
	newest := int64(math.MinInt64)
	for w := range all {
		newest = max(newest, w.newest)
	}
	if newest != math.MinInt64 {
		dst = advance(time.UnixMicro(newest), dst)
	}
	type held struct {
		w *Windows
		k *key
	}
	var open []held
	for w := range all {
		for k := range w.keys.all() {
			open = append(open, held{w, k})
		}
	}
	slices.SortFunc(open, func(a, b held) int { return a.k.compare(b.k) })
	for _, h := range open {
		dst = h.w.giveUp(h.k, dst)
	}
	return dst
}

// Open is [Windows.Open] of all shards.
func (s *Sharded) Open() []Fingerprint {
	var open []Fingerprint
	for w := range s.seen {
		open = append(open, w.Open()...)
	}
	return inOrder(open)
}

// Horizon returns where the log must be replayed from to restore what is held
// in any shard, or next if there is nothing.
func (s *Sharded) Horizon(next int64) Point {
	first := Point{Offset: next, Watermark: s.watermark}
	for w := range s.seen {
		if p := w.Horizon(next); p.Offset < first.Offset {
			first = p
		}
	}
	return first
}

// Lost notes that events were lost: findings that they may have been of say so.
func (s *Sharded) Lost(h Hole) {
	s.holes = s.holes.add(h).since(s.watermark.Add(-holeKept))
	for w := range s.seen {
		w.holes = s.holes
	}
}

// holeKept is how long a hole matters: no bucket and no stretch is longer.
const holeKept = 24 * time.Hour

// Holes returns what Lost was told, as far as it still matters.
func (s *Sharded) Holes() []Hole { return s.holes.since(s.watermark.Add(-holeKept)) }

// Resume makes windows that have seen nothing yet start at a point of the log.
func (s *Sharded) Resume(p Point) { s.watermark = p.Watermark }

// Stats returns the counts of all shards.
func (s *Sharded) Stats() Stats {
	var sum Stats
	for w := range s.seen {
		sum.add(w.Stats())
	}
	return sum
}
