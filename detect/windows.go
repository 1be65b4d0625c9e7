package detect

import (
	"cmp"
	"container/heap"
	"container/list"
	"time"

	"github.com/klaxon-dev/klaxon/rules"
)

// Lateness is how late an event may come after its own time and still be
// counted in order: the API server's batches and retries fit into it.
const Lateness = 10 * time.Minute

// Remembered is how long a finding is remembered after it has closed: a copy of
// an event that it has changes nothing, and what comes later still is added to
// what it had.
const Remembered = time.Hour

// Limits bound the memory of Windows.
type Limits struct {
	KeysPerRule int   // live keys of one rule, and closed ones that are remembered; 0: 10,000
	Requests    int   // requests that one finding tells apart; 0: 4,096
	Bytes       int64 // all findings together, by estimate; 0: 256 MiB
}

func (l Limits) withDefaults() Limits {
	return Limits{
		KeysPerRule: cmp.Or(l.KeysPerRule, 10_000),
		Requests:    cmp.Or(l.Requests, 4_096),
		Bytes:       cmp.Or(l.Bytes, 256<<20),
	}
}

// Windows gathers matches into findings. It is used by one goroutine.
//
// What it returns depends on the matches and watermarks that it was given and
// on nothing else; closed findings do not depend on the order of matches within
// [Lateness] either.
type Windows struct {
	set       *rules.Set
	limits    Limits
	watermark time.Time
	states    map[FindingID]*state
	live      touched
	closed    touched
	due       dueHeap
	starts    list.List // all states, in order of their first match in the log
	bytes     int64

	evicted, unknown, late int64
}

// NewWindows returns the windows of a set's rules.
func NewWindows(set *rules.Set, limits Limits) *Windows {
	return &Windows{
		set:    set,
		limits: limits.withDefaults(),
		states: map[FindingID]*state{},
		live:   newTouched(),
		closed: newTouched(),
	}
}

// Add takes a match that lies at an offset of the log and appends the findings
// that are to be announced to dst: one that opens, or whose count has doubled,
// and those that had to close early to make room.
func (w *Windows) Add(m *Match, offset int64, dst []Finding) []Finding {
	rule := w.set.Rule(m.Rule)
	if rule == nil {
		w.unknown++
		return dst
	}
	bucket, end := bucketOf(m.Event.Time, rule.Suppress)
	id := findingID(m.Rule, m.Key, bucket)
	s := w.states[id]
	if s == nil {
		dst = w.evict(w.live.excess(rule.ID, w.limits.KeysPerRule-1), dst)
		s = w.open(rule, id, m, end, offset)
	}
	before := s.bytes
	news := s.add(m, w.limits.Requests)
	w.bytes += s.bytes - before
	switch {
	case s.closed && !news:
		return dst
	case s.closed:
		w.reopen(s)
	default:
		w.live.touch(s)
	}
	if s.finding.Count >= s.announce {
		s.announce = 2 * s.finding.Count
		s.finding.Revision++
		dst = append(dst, s.snapshot(StateOpen))
	}
	return w.shrink(dst)
}

func (w *Windows) open(rule *rules.Rule, id FindingID, m *Match, end time.Time, offset int64) *state {
	s := newState(rule, id, m)
	s.start = Point{Offset: offset, Watermark: w.watermark}
	s.startElement = w.starts.PushBack(s)
	s.due = w.closing(end)
	w.states[id] = s
	w.bytes += s.bytes
	w.live.push(s)
	heap.Push(&w.due, s)
	return s
}

// closing returns when a bucket that ends at end closes: where that was before
// the first of its matches came, others that are as late are waited for.
func (w *Windows) closing(end time.Time) time.Time {
	if w.watermark.Before(end) {
		return end
	}
	w.late++
	return w.watermark.Add(Lateness)
}

// reopen makes a closed finding live again, for something new has come to it.
func (w *Windows) reopen(s *state) {
	w.closed.remove(s)
	s.closed = false
	w.live.push(s)
	w.fall(s, w.closing(s.due.Add(-Remembered)))
}

// fall makes s due at a time.
func (w *Windows) fall(s *state, at time.Time) {
	s.due = at
	heap.Fix(&w.due, s.index)
}

// close ends a live finding; it is remembered.
func (w *Windows) close(s *state) Finding {
	w.live.remove(s)
	s.closed = true
	w.closed.push(s)
	w.fall(s, s.due.Add(Remembered))
	w.forget(w.closed.excess(s.rule.ID, w.limits.KeysPerRule))
	s.finding.Revision++
	return s.snapshot(StateClosed)
}

// forget removes a closed finding; nil is none.
func (w *Windows) forget(s *state) {
	if s == nil {
		return
	}
	w.closed.remove(s)
	w.starts.Remove(s.startElement)
	heap.Remove(&w.due, s.index)
	delete(w.states, s.finding.ID)
	w.bytes -= s.bytes
}

// evict closes a live finding early; nil is none.
func (w *Windows) evict(s *state, dst []Finding) []Finding {
	if s == nil {
		return dst
	}
	w.evicted++
	s.finding.Saturated = true
	dst = append(dst, w.close(s))
	before := s.bytes
	s.thin()
	w.bytes += s.bytes - before
	return dst
}

// shrink makes room until the findings fit into their memory: those that were
// touched longest ago go first, closed ones before live ones.
func (w *Windows) shrink(dst []Finding) []Finding {
	for w.bytes > w.limits.Bytes {
		if s := w.closed.oldest(); s != nil {
			w.forget(s)
			continue
		}
		if w.live.len() <= 1 {
			break // one finding is bounded by itself
		}
		dst = w.evict(w.live.oldest(), dst)
	}
	return dst
}

// Advance moves the watermark: nothing that is due before it will come in order
// any more. It appends the findings that close to dst, in order of their ends.
func (w *Windows) Advance(watermark time.Time, dst []Finding) []Finding {
	if !watermark.After(w.watermark) {
		return dst
	}
	w.watermark = watermark
	for len(w.due) > 0 && !w.due[0].due.After(watermark) {
		dst = w.end(w.due[0], dst)
	}
	return dst
}

// Finish closes all that is open, as at the end of all input.
func (w *Windows) Finish(dst []Finding) []Finding {
	for len(w.due) > 0 {
		dst = w.end(w.due[0], dst)
	}
	return dst
}

// end does with a finding what it is due for.
func (w *Windows) end(s *state, dst []Finding) []Finding {
	if s.closed {
		w.forget(s)
		return dst
	}
	return append(dst, w.close(s))
}

// Point is a place in the log of matches, and the watermark there.
type Point struct {
	Offset    int64     `json:"offset"`
	Watermark time.Time `json:"watermark"`
}

// Horizon returns where the log must be replayed from to restore the findings
// that are held: where the oldest of them begins, or next if there is none.
func (w *Windows) Horizon(next int64) Point {
	if oldest := w.starts.Front(); oldest != nil {
		return oldest.Value.(*state).start
	}
	return Point{Offset: next, Watermark: w.watermark}
}

// Resume makes an engine that has seen nothing yet start at a point of the log.
func (w *Windows) Resume(p Point) { w.watermark = p.Watermark }

// Stats count what happened to matches on their way into findings.
type Stats struct {
	Live    int   // findings that are open
	Bytes   int64 // memory of open findings and of closed ones that are remembered, by estimate
	Evicted int64 // findings closed early because there were too many
	Unknown int64 // matches of rules that the set does not hold
	Late    int64 // findings that opened, or opened again, after their bucket had closed
}

// Stats returns the counts so far.
func (w *Windows) Stats() Stats {
	return Stats{Live: w.live.len(), Bytes: w.bytes, Evicted: w.evicted, Unknown: w.unknown, Late: w.late}
}
