package detect

import (
	"cmp"
	"math"
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
	KeysPerRule int   // of one rule; 0: 100,000
	Members     int   // of one key; 0: 4,096
	Bytes       int64 // all keys together, by estimate; 0: 256 MiB
}

func (l Limits) withDefaults() Limits {
	return Limits{
		KeysPerRule: cmp.Or(l.KeysPerRule, 100_000),
		Members:     max(cmp.Or(l.Members, 4_096), 2*thinned),
		Bytes:       cmp.Or(l.Bytes, 256<<20),
	}
}

// Windows gathers matches into findings. It is used by one goroutine.
//
// What it returns depends on the matches and watermarks that it was given and
// on nothing else; closed findings do not depend on the order of matches within
// [Lateness] either.
type Windows struct {
	known     *known
	limits    Limits
	watermark time.Time
	newest    int64 // event time of any match
	keys      keyMap
	rules     map[Form]*ruleKeys
	due       dueHeap
	places    places
	stretches stretches
	scratch   scratch
	holes     holes
	bytes     int64

	live               int
	evicted, saturated int64
	unknown, reshaped  int64
	late               struct{ findings, matches int64 }
}

// NewWindows returns the windows of a set's rules.
func NewWindows(set *rules.Set, limits Limits) *Windows {
	return newWindows(newKnown(set), limits)
}

func newWindows(known *known, limits Limits) *Windows {
	return &Windows{
		known:  known,
		limits: limits.withDefaults(),
		newest: math.MinInt64,
		keys:   newKeyMap(),
		rules:  map[Form]*ruleKeys{},
	}
}

// Add takes a match that lies at an offset of the log and appends the findings
// that are to be announced to dst: one that opens, or whose count has doubled,
// and those that had to close early to make room.
func (w *Windows) Add(m *Match, offset int64, dst []Draft) []Draft {
	rule := w.ruleOf(m)
	if rule == nil {
		return dst
	}
	id, of := m.Fingerprint(), w.keysOf(rule)
	k := w.keys.get(of, id)
	n := newMember(m, offset)
	switch {
	case k != nil && k.holds(&n):
		w.touch(k)
		return dst
	case w.tooLate(rule, k, &n):
		w.late.matches++
		return dst
	case k != nil:
		w.touch(k)
	default:
		k = w.open(of, id)
	}
	dst = w.evict(k.of.live.excess(w.limits.KeysPerRule), dst)
	w.newest = max(w.newest, n.time)
	at, _ := search(k.members, &n)
	k.insert(at, n, m.Value)
	w.places.take(offset, w.watermark)
	w.grow(k, k.memberBytes())
	dst = w.changed(k, at, dst)
	if len(k.members) > w.limits.Members {
		w.thin(k, w.limits.Members/2)
		w.saturated++
	}
	w.schedule(k)
	return w.shrink(dst)
}

// ruleOf returns the rule that a match is of, nil if it is not known as it was
// then.
func (w *Windows) ruleOf(m *Match) *rules.Rule {
	rule := w.known.rule(m, w.watermark)
	switch {
	case rule != nil:
	case w.known.set.Rule(m.Rule) == nil:
		w.unknown++
	default:
		w.reshaped++
	}
	return rule
}

func (w *Windows) keysOf(rule *rules.Rule) *ruleKeys {
	of := w.rules[formOf(rule)]
	if of == nil {
		of = newRuleKeys(rule)
		w.rules[formOf(rule)] = of
	}
	return of
}

// tooLate reports whether a match comes when the watermark has decided what it
// could have: a finding is never taken back, and what should have followed the
// match may be as late.
func (w *Windows) tooLate(rule *rules.Rule, k *key, n *member) bool {
	window := &rule.Window
	switch mark := w.mark(); {
	case !waits(window) || n.time > mark:
		return false
	case !rule.Lists(n.part()):
		return k != nil && k.bucket != nil
	default:
		return window.Kind == rules.Absence && n.time <= mark-window.Within.Microseconds()
	}
}

// changed announces what a new member makes of the key's findings.
func (w *Windows) changed(k *key, at int, dst []Draft) []Draft {
	n := k.members[at]
	rule := k.of.rule
	if waits(&rule.Window) && n.time > w.decided(rule) {
		return dst // the watermark will decide
	}
	if rule.Window.Kind == rules.FirstSeen {
		w.learn(k, n.time, n.time)
		if at >= len(k.members) || k.members[at].event != n.event {
			return dst // it was seen before
		}
	}
	before := int64(math.MinInt64) // no bucket twice
	until := n.time + rule.Window.Within.Microseconds()
	for i := at; i < len(k.members) && k.members[i].time <= until; i++ {
		start, end := bucketAt(k.members[i].time, rule.Suppress)
		if start <= before && before != math.MinInt64 {
			continue
		}
		before = start
		dst = w.look(k, start, end, max(start, n.time), min(end, until+1), w.mark(), dst)
		if rule.Suppress <= 0 {
			break // one bucket holds all
		}
	}
	return dst
}

// look finds out whether a bucket has a finding, where something may have changed
// in [from, to), and announces it. What changed came when the watermark stood at
// mark.
func (w *Windows) look(k *key, start, end, from, to, mark int64, dst []Draft) []Draft {
	b := k.at(start)
	if b != nil && b.closed && b.saturated && mark >= k.end(b) {
		// Which of its members were given up is not known: this one may be a copy.
		w.saturated++
		return dst
	}
	if b == nil || b.closed {
		if len(w.satisfied(k, ends{from: from, to: to})) == 0 {
			return dst
		}
		b = w.begin(k, start, end, mark)
	}
	b.news++
	if b.count+b.news < b.announce {
		return dst
	}
	d := w.draft(k, b)
	b.count, b.news = uint32(min(d.Count, math.MaxUint32/4)), 0
	if b.count < b.announce {
		return dst
	}
	b.announce = 2 * b.count
	d.State, d.Revision = StateOpen, 2*d.Count-1
	return append(dst, d)
}

// begin makes the finding of a bucket live.
func (w *Windows) begin(k *key, start, end, mark int64) *bucket {
	b := k.at(start)
	if b == nil {
		b = &bucket{start: start, announce: 1}
		k.add(b)
		w.grow(k, bucketBytes)
	}
	b.closed = false
	if k.of.rule.Suppress <= 0 {
		end = k.members[0].time
	}
	b.due = end
	if k.of.rule.Window.Kind == rules.Absence {
		b.due += k.of.rule.Window.Within.Microseconds()
	}
	if mark >= b.due {
		// It came after its bucket had closed: others that are as late are
		// waited for.
		b.due = mark + Lateness.Microseconds()
		w.late.findings++
	}
	w.live++
	return b
}

// mark is the watermark in microseconds.
func (w *Windows) mark() int64 {
	if w.watermark.IsZero() {
		return math.MinInt64 / 2
	}
	return w.watermark.UnixMicro()
}

// decided is until when a late event can change nothing.
func (w *Windows) decided(rule *rules.Rule) int64 {
	if waits(&rule.Window) {
		return w.mark()
	}
	return math.MaxInt64
}

func (w *Windows) satisfied(k *key, e ends) []span {
	e.decided = w.decided(k.of.rule)
	return w.stretches.of(&k.of.rule.Window, k.members, k.values(), e)
}

// Advance moves the watermark: nothing that is due before it will come in order
// any more. It appends the findings that open or close to dst, in order of when
// they are due.
func (w *Windows) Advance(watermark time.Time, dst []Draft) []Draft {
	if !watermark.After(w.watermark) {
		return dst
	}
	return advance(w.alone, watermark, dst)
}

// alone calls yield with w: windows that are not one of several.
func (w *Windows) alone(yield func(*Windows) bool) { yield(w) }

// Finish closes all that is open, as at the end of all input.
func (w *Windows) Finish(dst []Draft) []Draft { return finish(w.alone, w.Advance, dst) }

// end does with a key what it is due for.
func (w *Windows) end(k *key, dst []Draft) []Draft {
	mark := w.mark()
	if waits(&k.of.rule.Window) {
		dst = w.decide(k, dst)
	}
	var next *bucket
	for b := k.bucket; b != nil; b = next {
		next = b.next
		switch {
		case b.due > mark:
		case b.closed:
			k.drop(b)
			w.grow(k, -bucketBytes)
		default:
			dst = append(dst, w.close(k, b))
		}
	}
	w.trim(k)
	if len(k.members) == 0 && k.bucket == nil && !w.remembers(k) {
		w.forget(k)
		return dst
	}
	w.schedule(k)
	return dst
}

// decide looks at what the watermark has passed since it was last looked at.
func (w *Windows) decide(k *key, dst []Draft) []Draft {
	rule := k.of.rule
	mark := k.more.decided
	after := mark
	until := w.mark()
	k.more.decided = until
	switch rule.Window.Kind {
	case rules.Absence:
		after -= rule.Window.Within.Microseconds()
	case rules.FirstSeen:
		w.learn(k, after, until)
	}
	before := int64(math.MinInt64)
	for i := from(k.members, after); i < len(k.members) && k.members[i].time <= until; i++ {
		start, end := bucketAt(k.members[i].time, rule.Suppress)
		if start == before {
			continue
		}
		before = start
		dst = w.look(k, start, end, start, end, mark, dst)
	}
	return dst
}

// close ends a live finding; it is remembered.
func (w *Windows) close(k *key, b *bucket) Draft {
	d := w.draft(k, b)
	b.closed = true
	b.due += Remembered.Microseconds()
	w.live--
	d.State, d.Revision = StateClosed, 2*d.Count
	return d
}

func (w *Windows) closeAll(k *key, dst []Draft) []Draft {
	for b := k.bucket; b != nil; b = b.next {
		if !b.closed {
			dst = append(dst, w.close(k, b))
		}
	}
	return dst
}

// Stats count what happened to matches on their way into findings.
type Stats struct {
	Live    int   // findings that are open
	Keys    int   // keys that are held
	Bytes   int64 // memory of the keys, by estimate
	Evicted int64 // keys whose findings closed early because there were too many
	Full    int64 // times that a key had too many members, or got one after its finding was full and had closed
	Unknown int64 // matches of rules that are not known
	Changed int64 // matches of rules that are known otherwise, and keys of rules that are not in the set any more
	Late    int64 // findings that opened, or opened again, after their bucket had closed
	TooLate int64 // matches that came after what they could have decided was decided
}

func (s *Stats) add(other Stats) {
	s.Live += other.Live
	s.Keys += other.Keys
	s.Bytes += other.Bytes
	s.Evicted += other.Evicted
	s.Full += other.Full
	s.Unknown += other.Unknown
	s.Changed += other.Changed
	s.Late += other.Late
	s.TooLate += other.TooLate
}

// Stats returns the counts so far.
func (w *Windows) Stats() Stats {
	return Stats{Live: w.live, Keys: w.keys.len(), Bytes: w.bytes, Evicted: w.evicted, Full: w.saturated, Unknown: w.unknown, Changed: w.reshaped, Late: w.late.findings, TooLate: w.late.matches}
}
