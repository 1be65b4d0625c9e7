package detect

import (
	"math/bits"
	"slices"
	"time"
)

// Point is a place in the log of matches, and the watermark there.
type Point struct {
	Offset    int64     `json:"offset"`
	Watermark time.Time `json:"watermark"`
}

// places knows which offsets of the log are held by a member: the log must be
// kept, and replayed, from the least of them on.
type places struct {
	base  int64    // offset of the first bit
	held  []uint64 // a bit an offset
	marks []Point  // where the watermark moved, from base on
}

// maxMarks bounds how exactly the watermark of an offset is known: an earlier
// one is as good.
const maxMarks = 1 << 16

// take holds an offset that was read when the watermark stood at mark. Offsets
// grow.
func (p *places) take(offset int64, mark time.Time) {
	if len(p.held) == 0 {
		p.base = offset &^ 63
	}
	if n := len(p.marks); n == 0 || !p.marks[n-1].Watermark.Equal(mark) {
		p.marks = append(p.marks, Point{Offset: offset, Watermark: mark})
	}
	if len(p.marks) > maxMarks {
		for i := range p.marks[:len(p.marks)/2] {
			p.marks[i] = p.marks[2*i]
		}
		p.marks = p.marks[:len(p.marks)/2]
	}
	word := int(offset-p.base) / 64
	for word >= len(p.held) {
		p.held = append(p.held, 0)
	}
	p.held[word] |= 1 << ((offset - p.base) % 64)
}

// give lets go of an offset.
func (p *places) give(offset int64) {
	p.held[(offset-p.base)/64] &^= 1 << ((offset - p.base) % 64)
}

// first returns the least offset that is held.
func (p *places) first() (Point, bool) {
	free := 0
	for free < len(p.held) && p.held[free] == 0 {
		free++
	}
	if free == len(p.held) {
		p.held, p.marks = p.held[:0], p.marks[:0]
		return Point{}, false
	}
	if free > 0 {
		p.held = slices.Delete(p.held, 0, free)
		p.base += 64 * int64(free)
	}
	offset := p.base + int64(bits.TrailingZeros64(p.held[0]))
	old := 0
	for old+1 < len(p.marks) && p.marks[old+1].Offset <= offset {
		old++
	}
	p.marks = slices.Delete(p.marks, 0, old)
	return Point{Offset: offset, Watermark: p.marks[0].Watermark}, true
}

// Horizon returns where the log must be replayed from to restore what is held,
// or next if there is nothing.
func (w *Windows) Horizon(next int64) Point {
	if p, held := w.places.first(); held {
		return p
	}
	return Point{Offset: next, Watermark: w.watermark}
}

// Resume makes an engine that has seen nothing yet start at a point of the log.
func (w *Windows) Resume(p Point) { w.watermark = p.Watermark }
