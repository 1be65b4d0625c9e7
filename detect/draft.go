package detect

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/rules"
)

// Draft is a finding as the windows know it: its events only by their places in
// the log of matches. [Draft.Finding] fills in what they hold.
type Draft struct {
	Rule        *rules.Rule
	Fingerprint Fingerprint
	State       State
	Reason      Reason
	Revision    int64
	Count       int64 // distinct requests
	Distinct    int64 // distinct values, where the window counts them
	Saturated   bool
	Degraded    bool
	Refs        []Ref // the events that it lists, in order of time; never empty

	bucket int64
}

// Ref is one event of a draft.
type Ref struct {
	Event  audit.EventID
	Offset int64 // of its match in the log of matches
}

// scratch is what drafts are made with.
type scratch struct {
	requests map[uint64]struct{}
	values   map[uint64]struct{}
	listed   []int // of the key's members
}

// draft counts the finding of a bucket.
func (w *Windows) draft(k *key, b *bucket) Draft {
	s := &w.scratch
	if s.requests == nil {
		s.requests, s.values = map[uint64]struct{}{}, map[uint64]struct{}{}
	}
	clear(s.requests)
	clear(s.values)
	s.listed = s.listed[:0]
	values := k.values()
	for _, sp := range w.spans(k, b) {
		for i := sp.lo; i < sp.hi; i++ {
			if !k.of.rule.Lists(k.members[i].part()) {
				continue
			}
			s.listed = append(s.listed, i)
			s.requests[k.members[i].request] = struct{}{}
			if values != nil {
				s.values[values[i]] = struct{}{}
			}
		}
	}
	return Draft{
		Rule:        k.of.rule,
		Fingerprint: k.id,
		Count:       int64(len(s.requests)) + int64(b.dropped),
		Distinct:    int64(len(s.values)),
		Saturated:   b.saturated,
		Degraded:    w.degraded(k, b, s.listed),
		Refs:        k.list(s.listed),
		bucket:      bucketNumber(b.start, k.of.rule.Suppress),
	}
}

// spans returns what the finding of a bucket is made of, in order and apart. What
// is left of a saturated one may not satisfy its window: all of the bucket is.
func (w *Windows) spans(k *key, b *bucket) []span {
	spans := w.satisfied(k, ends{from: b.start, to: k.end(b)})
	if !b.saturated {
		return spans
	}
	all := span{from(k.members, b.start), from(k.members, k.end(b))}
	if len(spans) > 0 {
		all.lo = min(all.lo, spans[0].lo) // its stretch begins before the bucket
	}
	return []span{all}
}

// list returns, of members of the key, the first, the last and an even sample of
// those between: event ids are hashes, so those with the least ids are one,
// whatever order they came in.
func (k *key) list(members []int) []Ref {
	listed := members
	if len(members) > MaxListed {
		between := slices.Clone(members[1 : len(members)-1])
		slices.SortFunc(between, func(a, b int) int {
			return slices.Compare(k.members[a].event[:], k.members[b].event[:])
		})
		listed = append([]int{members[0], members[len(members)-1]}, between[:MaxListed-2]...)
		slices.Sort(listed)
	}
	refs := make([]Ref, 0, len(listed))
	for _, i := range listed {
		m := &k.members[i]
		if n := len(refs); n > 0 && refs[n-1].Event == m.event {
			continue // one event, two steps
		}
		refs = append(refs, Ref{Event: m.event, Offset: m.offset()})
	}
	return refs
}

// Finding fills a draft in from the matches that it lists; read returns the match
// at an offset of the log.
func (d *Draft) Finding(read func(offset int64) (*Match, error)) (Finding, error) {
	rule := d.Rule
	f := Finding{
		Schema:      FindingSchema,
		Fingerprint: d.Fingerprint,
		Rule:        string(rule.ID),
		Description: rule.Description,
		Severity:    string(rule.Severity),
		Count:       d.Count,
		Distinct:    d.Distinct,
		Tags:        slices.Clone(rule.Tags),
		State:       d.State,
		Reason:      d.Reason,
		Revision:    d.Revision,
		Saturated:   d.Saturated,
		Degraded:    d.Degraded,
		Shadow:      rule.Mode == rules.ModeShadow,
	}
	for i, ref := range d.Refs {
		m, err := read(ref.Offset)
		if err != nil {
			return f, fmt.Errorf("match at %d: %w", ref.Offset, err)
		}
		if m.Event.EventID != ref.Event {
			return f, fmt.Errorf("match at %d is of event %s, want %s: it is not the same log any more", ref.Offset, m.Event.EventID, ref.Event)
		}
		if i == 0 {
			f.ID = findingID(rule.ID, m.Key, d.bucket)
			f.RuleVersion, f.Cluster, f.Key = m.Version, m.Cluster, m.Key
			f.Namespace, f.Actor = m.Namespace, m.Event.User
			f.Title = rule.Title.Render(m.Title, rules.Amounts{Count: d.Count, Distinct: d.Distinct, Within: rule.Window.Within})
			f.FirstSeen = m.Event.Time
			if len(rule.Cases) > 0 && m.Severity.Rank() >= 0 {
				f.Severity = string(m.Severity)
			}
		}
		f.LastSeen = m.Event.Time
		f.Events = append(f.Events, m.Event)
		if d.Distinct > 0 && !slices.Contains(f.Values, m.Value) {
			f.Values = append(f.Values, m.Value)
		}
	}
	slices.Sort(f.Values)
	return f, nil
}

// Bounds of the one bucket of a rule that does not suppress.
const (
	firstTime = math.MinInt64 / 4
	lastTime  = math.MaxInt64 / 4
)

// bucketAt returns the bucket of length suppress that a time lies in: its start
// and end in microseconds. Buckets are aligned to the Unix epoch. Without suppress
// the request is the key and one bucket holds all.
func bucketAt(at int64, suppress time.Duration) (start, end int64) {
	if suppress <= 0 {
		return firstTime, lastTime
	}
	length := suppress.Microseconds()
	start = at - at%length
	if start > at {
		start -= length
	}
	return start, start + length
}

func bucketNumber(start int64, suppress time.Duration) int64 {
	if suppress <= 0 {
		return 0
	}
	return start / suppress.Microseconds()
}

// valueHash stands for a value that a window counts.
func valueHash(value string) uint64 {
	sum := sha256.Sum256([]byte(value))
	return binary.BigEndian.Uint64(sum[:8])
}
