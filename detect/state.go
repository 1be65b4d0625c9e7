package detect

import (
	"cmp"
	"container/list"
	"slices"
	"time"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/rules"
)

// state is one finding: live, or closed and remembered.
type state struct {
	rule     *rules.Rule
	finding  Finding // all but what the members decide
	first    *member
	last     *member
	sample   []*member // those with the least event ids, at most MaxListed
	requests map[audit.RequestID]struct{}
	announce int64 // the count at which it is announced again
	closed   bool
	due      time.Time // when it closes, or is forgotten
	start    Point     // where its first match lies in the log
	bytes    int64     // memory, by estimate

	index        int // in the heap of what is due
	touchedRule  *list.Element
	touchedAll   *list.Element
	startElement *list.Element
}

// Estimates of memory in bytes, measured on the recorded attack.
const (
	stateBytes   = 1500
	memberBytes  = 400
	requestBytes = 48
)

// thinned is how many members an evicted finding goes on to list, besides the
// first and the last.
const thinned = 8

func newState(rule *rules.Rule, id FindingID, m *Match) *state {
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
		bytes:    stateBytes,
	}
	for _, f := range m.Key {
		s.bytes += int64(len(f.Value))
	}
	return s
}

// member is a match of a finding.
type member struct {
	ref       EventRef
	title     []string
	namespace string
	version   string
	bytes     int64
}

func newMember(m *Match) *member {
	n := &member{ref: m.Event, title: m.Title, namespace: m.Namespace, version: m.Version, bytes: memberBytes}
	n.bytes += int64(len(m.Event.AuditID) + len(m.Event.User) + len(m.Event.Object) + len(m.Event.UserAgent))
	for _, list := range [][]string{m.Event.SourceIPs, m.Title} {
		for _, text := range list {
			n.bytes += int64(len(text)) + 16
		}
	}
	return n
}

func (m *member) compare(n *member) int {
	return cmp.Or(m.ref.Time.Compare(n.ref.Time), slices.Compare(m.ref.EventID[:], n.ref.EventID[:]))
}

// add takes a match in and reports whether it said anything new.
func (s *state) add(m *Match, maxRequests int) bool {
	count, n := s.finding.Count, newMember(m)
	s.request(m.Event.RequestID, maxRequests)
	news := s.finding.Count != count
	if s.first == nil || n.compare(s.first) < 0 {
		s.replace(&s.first, n)
		news = true
	}
	if s.last == nil || n.compare(s.last) > 0 {
		s.replace(&s.last, n)
		news = true
	}
	return s.keep(n) || news
}

// request counts a request once, as long as it can tell.
func (s *state) request(id audit.RequestID, most int) {
	if _, known := s.requests[id]; known {
		return
	}
	s.finding.Count++
	if len(s.requests) >= most {
		s.finding.Saturated = true
		return
	}
	s.requests[id] = struct{}{}
	s.bytes += requestBytes
}

func (s *state) replace(old **member, n *member) {
	if *old != nil {
		s.bytes -= (*old).bytes
	}
	*old = n
	s.bytes += n.bytes
}

// keep holds on to n if its event id is among the least: event ids are hashes,
// so that is an even sample of all members, whatever order they came in. It
// reports whether it did.
func (s *state) keep(n *member) bool {
	at, found := slices.BinarySearchFunc(s.sample, n, func(a, b *member) int {
		return slices.Compare(a.ref.EventID[:], b.ref.EventID[:])
	})
	if found || at >= MaxListed {
		return false
	}
	s.sample = slices.Insert(s.sample, at, n)
	s.bytes += n.bytes
	s.cutSample(MaxListed)
	return true
}

func (s *state) cutSample(most int) {
	for len(s.sample) > most {
		end := len(s.sample) - 1
		s.bytes -= s.sample[end].bytes
		s.sample[end] = nil
		s.sample = s.sample[:end]
	}
}

// thin gives up what tells requests apart and most of the sample: should there
// be more matches, they are counted on top.
func (s *state) thin() {
	s.bytes -= requestBytes * int64(len(s.requests))
	clear(s.requests)
	s.cutSample(thinned)
	s.sample = slices.Clip(s.sample)
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
