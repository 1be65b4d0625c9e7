// Package detect is the detection engine: it matches events against rules and
// gathers the matches into findings.
//
// It is pure: no input or output, no clock, no goroutine. Callers hand it
// events and times and carry out what it returns, so that the same log gives
// the same findings wherever and however often it is read.
package detect

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/rules"
)

// Input is one event as it is matched.
type Input struct {
	Cluster   audit.ClusterID
	Received  time.Time // zero for files: the event's own time counts
	ID        audit.EventID
	RequestID audit.RequestID
	Event     *audit.Event
}

// Match says that an event met a rule's condition.
type Match struct {
	Rule      rules.RuleID    `json:"rule"`
	Version   string          `json:"version"`
	Key       Key             `json:"key"`
	Cluster   audit.ClusterID `json:"cluster"`
	Namespace string          `json:"namespace,omitempty"`
	Title     []string        `json:"title,omitempty"` // values of the title's placeholders
	Event     EventRef        `json:"event"`
}

// Outcome is why a rule did not match an event that met its condition, or could
// not tell.
type Outcome string

// The outcomes that are counted.
const (
	OutcomeBlind    Outcome = "blind"    // the event does not hold what the condition depends on
	OutcomeFailed   Outcome = "failed"   // the condition cannot be evaluated on the event
	OutcomeExcepted Outcome = "excepted" // an exception took the match away
)

// Note is one such outcome, for counting.
type Note struct {
	Rule      rules.RuleID
	Outcome   Outcome
	Exception string // its name, where Outcome is OutcomeExcepted
	Err       error  // where Outcome is OutcomeFailed
}

// Matcher evaluates a set of rules on one event after the other. It is used by
// one goroutine; several matchers may share a set.
type Matcher struct {
	set     *rules.Set
	index   *rules.Index
	machine *rules.Machine
	scope   rules.Scope
	notes   []Note
}

// NewMatcher returns a matcher for a set.
func NewMatcher(set *rules.Set) *Matcher {
	conditions := make([]*rules.Condition, len(set.Rules))
	for i, r := range set.Rules {
		conditions[i] = r.When
	}
	return &Matcher{set: set, index: rules.NewIndex(conditions), machine: rules.NewMachine()}
}

// Match appends what the event matches to dst. Events that say nothing of how
// a request went are not matched.
func (m *Matcher) Match(in *Input, dst []Match) []Match {
	m.notes = m.notes[:0]
	if !in.Event.Observed() {
		return dst
	}
	m.scope.Reset(in.Cluster, in.RequestID, in.Event)
	m.machine.Load(&m.scope)
	for _, i := range m.index.Candidates(m.machine) {
		r := m.set.Rules[i]
		if m.holds(r, r.When) && !m.excepted(r, in) {
			dst = append(dst, m.match(r, in))
		}
	}
	return dst
}

// Notes returns what else the last Match had to say. The slice is reused by the next.
func (m *Matcher) Notes() []Note { return m.notes }

func (m *Matcher) holds(r *rules.Rule, c *rules.Condition) bool {
	holds, err := m.machine.Eval(c)
	switch {
	case err != nil:
		m.notes = append(m.notes, Note{Rule: r.ID, Outcome: OutcomeFailed, Err: err})
	case holds == rules.Unknown:
		m.notes = append(m.notes, Note{Rule: r.ID, Outcome: OutcomeBlind})
	}
	return holds == rules.True
}

// excepted reports whether an exception surely takes the match away.
func (m *Matcher) excepted(r *rules.Rule, in *Input) bool {
	for i := range r.Exceptions {
		e := &r.Exceptions[i]
		if !e.Expires.IsZero() && !in.Event.StageTime.Before(e.Expires) {
			continue
		}
		if holds, _ := m.machine.Eval(e.When); holds == rules.True {
			m.notes = append(m.notes, Note{Rule: r.ID, Outcome: OutcomeExcepted, Exception: e.Name})
			return true
		}
	}
	return false
}

func (m *Matcher) match(r *rules.Rule, in *Input) Match {
	key := make(Key, len(r.By))
	for i := range r.By {
		key[i] = KeyField{Name: r.By[i].Name, Value: keyText(r.By[i].Text(&m.scope))}
	}
	if r.Suppress == 0 {
		key = append(key, KeyField{Name: "request_id", Value: in.RequestID.String()})
	}
	return Match{
		Rule:      r.ID,
		Version:   r.Version,
		Key:       key,
		Cluster:   in.Cluster,
		Namespace: cut(in.Event.ObjectRef.Namespace, maxRefText),
		Title:     r.Title.Values(&m.scope),
		Event:     newEventRef(in),
	}
}

func newEventRef(in *Input) EventRef {
	e := in.Event
	object := e.Resource()
	if key := e.ObjectKey(); key != "" {
		object += " " + key
	}
	if object == "" {
		object = e.Path()
	}
	ref := EventRef{
		EventID:   in.ID,
		AuditID:   cut(e.AuditID, maxClientText),
		RequestID: in.RequestID,
		Stage:     cut(e.Stage, maxWord),
		Time:      eventTime(e.StageTime, in.Received),
		Verb:      cut(e.Verb, maxWord),
		User:      cut(e.User.Username, maxRefText),
		Object:    cut(object, maxRefText),
		UserAgent: cut(e.UserAgent, maxClientText),
		Code:      e.ResponseStatus.Code,
	}
	// The last hops count: the first ones are the client's own words.
	ips := e.SourceIPs[max(0, len(e.SourceIPs)-maxRefIPs):]
	ref.SourceIPs = make([]string, len(ips))
	for i, ip := range ips {
		ref.SourceIPs[i] = cut(ip, maxWord)
	}
	return ref
}

// keyText bounds a value of a key; long values that differ stay different.
func keyText(s string) string {
	if len(s) <= maxRefText {
		return cut(s, maxRefText)
	}
	sum := sha256.Sum256([]byte(s))
	return cut(s, maxRefText/2) + hex.EncodeToString(sum[:8])
}

// Bounds on what a finding repeats of an event.
const (
	maxRefText    = 512 // bytes of a name
	maxClientText = 256 // bytes of what a client says of itself
	maxWord       = 64  // bytes of a verb, a stage, an address
	maxRefIPs     = 8
)

// cut copies s, at most n bytes of it: a match must not hold the whole event in
// memory. The cut falls between characters.
func cut(s string, n int) string {
	if len(s) > n {
		for n > 0 && s[n]&0xC0 == 0x80 {
			n--
		}
		return s[:n] + "…"
	}
	return string([]byte(s))
}
