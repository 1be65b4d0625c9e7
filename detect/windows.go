package detect

import (
	"cmp"
	"container/heap"
	"container/list"
	"slices"
	"time"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/rules"
)

// Lateness is how late an event may come after its own time and still be
// counted in order: the API server's batches and retries fit into it.
const Lateness = 10 * time.Minute

// Limits bound the memory of Windows.
type Limits struct {
	KeysPerRule int // live keys of one rule; 0: 10,000
	Requests    int // requests that one finding tells apart; 0: 4,096
}

func (l Limits) withDefaults() Limits {
	return Limits{KeysPerRule: cmp.Or(l.KeysPerRule, 10_000), Requests: cmp.Or(l.Requests, 4_096)}
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
	byRule    map[rules.RuleID]*list.List // live states, the one touched last at the back
	closing   closingHeap

	evicted, unknown, late int64
}

// NewWindows returns the windows of a set's rules.
func NewWindows(set *rules.Set, limits Limits) *Windows {
	return &Windows{
		set:    set,
		limits: limits.withDefaults(),
		states: map[FindingID]*state{},
		byRule: map[rules.RuleID]*list.List{},
	}
}

// state is one live finding.
type state struct {
	rule     *rules.Rule
	finding  Finding // all but what the members decide
	first    *member
	last     *member
	sample   []*member // those with the least event ids, at most MaxListed
	requests map[audit.RequestID]struct{}
	announce int64 // the count at which it is announced again
	closeAt  time.Time
	start    Point // where its first match lies in the log
	element  *list.Element
	index    int // in closing
}

// member is a match of a finding.
type member struct {
	ref       EventRef
	title     []string
	namespace string
	version   string
}

func (m *member) compare(n *member) int {
	return cmp.Or(m.ref.Time.Compare(n.ref.Time), slices.Compare(m.ref.EventID[:], n.ref.EventID[:]))
}

// Add takes a match that lies at an offset of the log and appends the findings
// that are to be announced to dst: one that opens, or whose count has doubled,
// and one that had to close early to make room.
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
		dst = w.makeRoom(rule, dst)
		s = w.open(rule, id, m, end, offset)
	}
	w.byRule[rule.ID].MoveToBack(s.element)
	s.add(m, w.limits.Requests)
	if s.finding.Count >= s.announce {
		s.announce = 2 * s.finding.Count
		s.finding.Revision++
		dst = append(dst, s.snapshot(StateOpen))
	}
	return dst
}

func (w *Windows) open(rule *rules.Rule, id FindingID, m *Match, end time.Time, offset int64) *state {
	closeAt := end
	if !w.watermark.Before(end) {
		// It came after its bucket had closed: it is still found, and waits for
		// others that came as late.
		w.late++
		closeAt = w.watermark.Add(Lateness)
	}
	s := &state{
		rule: rule,
		finding: Finding{
			Schema:      FindingSchema,
			ID:          id,
			Fingerprint: m.Fingerprint(),
			Rule:        string(rule.ID),
			Description: rule.Description,
			Severity:    string(rule.Severity),
			Cluster:     m.Cluster,
			Key:         m.Key,
			Tags:        slices.Clone(rule.Tags),
		},
		requests: map[audit.RequestID]struct{}{},
		announce: 1,
		closeAt:  closeAt,
		start:    Point{Offset: offset, Watermark: w.watermark},
	}
	w.states[id] = s
	live := w.byRule[rule.ID]
	if live == nil {
		live = list.New()
		w.byRule[rule.ID] = live
	}
	s.element = live.PushBack(s)
	heap.Push(&w.closing, s)
	return s
}

// makeRoom closes the finding of the rule that was touched longest ago if the
// rule has as many as it may hold.
func (w *Windows) makeRoom(rule *rules.Rule, dst []Finding) []Finding {
	live := w.byRule[rule.ID]
	if live == nil || live.Len() < w.limits.KeysPerRule {
		return dst
	}
	w.evicted++
	s := live.Front().Value.(*state)
	s.finding.Saturated = true
	return append(dst, w.close(s))
}

func (s *state) add(m *Match, maxRequests int) {
	_, known := s.requests[m.Event.RequestID]
	switch {
	case known:
	case len(s.requests) < maxRequests:
		s.requests[m.Event.RequestID] = struct{}{}
		s.finding.Count++
	default:
		s.finding.Count++
		s.finding.Saturated = true
	}
	n := &member{ref: m.Event, title: m.Title, namespace: m.Namespace, version: m.Version}
	if s.first == nil || n.compare(s.first) < 0 {
		s.first = n
	}
	if s.last == nil || n.compare(s.last) > 0 {
		s.last = n
	}
	s.keep(n)
}

// keep holds on to n if its event id is among the least: event ids are hashes,
// so that is an even sample of all members, whatever order they came in.
func (s *state) keep(n *member) {
	at, found := slices.BinarySearchFunc(s.sample, n, func(a, b *member) int {
		return slices.Compare(a.ref.EventID[:], b.ref.EventID[:])
	})
	if found || at >= MaxListed {
		return
	}
	s.sample = slices.Insert(s.sample, at, n)
	if len(s.sample) > MaxListed {
		s.sample = s.sample[:MaxListed]
	}
}

// listed returns the first, the last and an even sample of those between.
func (s *state) listed() []EventRef {
	members := []*member{s.first}
	if s.last.ref.EventID != s.first.ref.EventID {
		members = append(members, s.last)
	}
	for _, n := range s.sample {
		if len(members) == MaxListed {
			break
		}
		if n.ref.EventID != s.first.ref.EventID && n.ref.EventID != s.last.ref.EventID {
			members = append(members, n)
		}
	}
	slices.SortFunc(members, (*member).compare)
	refs := make([]EventRef, len(members))
	for i, n := range members {
		refs[i] = n.ref
	}
	return refs
}

func (s *state) snapshot(st State) Finding {
	f := s.finding
	f.State = st
	f.RuleVersion = s.first.version
	f.Title = s.rule.Title.Render(s.first.title, f.Count)
	f.Namespace = s.first.namespace
	f.Actor = s.first.ref.User
	f.FirstSeen, f.LastSeen = s.first.ref.Time, s.last.ref.Time
	f.Events = s.listed()
	return f
}

// Advance moves the watermark: nothing that is due before it will come in order
// any more. It appends the findings that close to dst, in order of their ends.
func (w *Windows) Advance(watermark time.Time, dst []Finding) []Finding {
	if !watermark.After(w.watermark) {
		return dst
	}
	w.watermark = watermark
	for len(w.closing) > 0 && !w.closing[0].closeAt.After(watermark) {
		dst = append(dst, w.close(w.closing[0]))
	}
	return dst
}

// Finish closes all that is open, as at the end of all input.
func (w *Windows) Finish(dst []Finding) []Finding {
	for len(w.closing) > 0 {
		dst = append(dst, w.close(w.closing[0]))
	}
	return dst
}

func (w *Windows) close(s *state) Finding {
	heap.Remove(&w.closing, s.index)
	w.byRule[s.rule.ID].Remove(s.element)
	delete(w.states, s.finding.ID)
	s.finding.Revision++
	return s.snapshot(StateClosed)
}

// Point is a place in the log of matches, and the watermark there.
type Point struct {
	Offset    int64     `json:"offset"`
	Watermark time.Time `json:"watermark"`
}

// Horizon returns where the log must be replayed from to restore the live
// findings: where the oldest of them begins, or next if none is live.
func (w *Windows) Horizon(next int64) Point {
	horizon := Point{Offset: next, Watermark: w.watermark}
	for _, s := range w.states {
		if s.start.Offset < horizon.Offset {
			horizon = s.start
		}
	}
	return horizon
}

// Resume makes an engine that has seen nothing yet start at a point of the log.
func (w *Windows) Resume(p Point) { w.watermark = p.Watermark }

// Stats count what happened to matches on their way into findings.
type Stats struct {
	Live    int   // findings that are open
	Evicted int64 // findings closed early because their rule held too many
	Unknown int64 // matches of rules that the set does not hold
	Late    int64 // findings that opened after their bucket had closed
}

// Stats returns the counts so far.
func (w *Windows) Stats() Stats {
	return Stats{Live: len(w.states), Evicted: w.evicted, Unknown: w.unknown, Late: w.late}
}

// closingHeap orders live findings by when they close, then by id.
type closingHeap []*state

func (h closingHeap) Len() int { return len(h) }
func (h closingHeap) Less(i, j int) bool {
	a, b := h[i], h[j]
	return cmp.Or(a.closeAt.Compare(b.closeAt), slices.Compare(a.finding.ID[:], b.finding.ID[:])) < 0
}
func (h closingHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}
func (h *closingHeap) Push(x any) {
	s := x.(*state)
	s.index = len(*h)
	*h = append(*h, s)
}
func (h *closingHeap) Pop() any {
	old := *h
	s := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return s
}
