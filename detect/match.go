// Package detect is the detection engine: it matches events against rules and
// gathers the matches into findings.
//
// It is pure: no input or output, no clock, no goroutine. Callers hand it
// events and times and carry out what it returns, so that the same log gives
// the same findings wherever and however often it is read.
package detect

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/rules"
)

// Input is one event as it is matched.
type Input struct {
	Cluster   audit.ClusterID
	Received  time.Time       // zero for files: the event's own time counts
	ID        audit.EventID   // zero: made when it is needed
	RequestID audit.RequestID // zero: made when it is needed
	Event     *audit.Event
}

// Match says that an event met a rule's condition.
type Match struct {
	Rule      rules.RuleID    `json:"rule"`
	Version   string          `json:"version"`
	Part      uint8           `json:"part,omitempty"` // of the rule: 0, or which step
	Key       Key             `json:"key"`
	Cluster   audit.ClusterID `json:"cluster"`
	Namespace string          `json:"namespace,omitempty"`
	Title     []string        `json:"title,omitempty"`    // values of the title's placeholders
	Value     string          `json:"value,omitempty"`    // of the field that the window counts
	Severity  rules.Severity  `json:"severity,omitempty"` // where the rule's depends on the event
	Shape     string          `json:"shape,omitempty"`    // of the rule: with what else it may be gathered
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
	parts   []part // of all rules
	index   *rules.Index
	machine *rules.Machine
	scope   rules.Scope
	notes   []Note
}

// part is one condition of a rule.
type part struct {
	rule   *rules.Rule
	number int
}

// undoes reports whether a match of the part takes findings away: an exception
// spares nobody by sparing it.
func (p *part) undoes() bool { return !p.rule.Lists(p.number) }

// NewMatcher returns a matcher for a set.
func NewMatcher(set *rules.Set) *Matcher {
	m := &Matcher{machine: rules.NewMachine()}
	var groups [][]*rules.Condition
	for _, r := range set.Rules {
		for i := range r.Parts {
			m.parts = append(m.parts, part{rule: r, number: i})
			groups = append(groups, r.Parts[i].When)
		}
	}
	m.index = rules.NewIndex(groups)
	return m
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
		if p := &m.parts[i]; p.undoes() && m.mayHold(p) || !p.undoes() && m.holds(p) && !m.excepted(p.rule, in) {
			dst = m.match(p, in, dst)
		}
	}
	return dst
}

// Notes returns what else the last Match had to say. The slice is reused by the next.
func (m *Matcher) Notes() []Note { return m.notes }

// holds reports whether all conditions of a part surely do.
func (m *Matcher) holds(p *part) bool { return m.truth(p) == rules.True }

// mayHold reports whether no condition of a part surely does not: what may have
// been undone is not found.
func (m *Matcher) mayHold(p *part) bool { return m.truth(p) != rules.False }

// truth returns the least truth of the conditions of a part. It notes if that is
// unknown.
func (m *Matcher) truth(p *part) rules.Truth {
	all := rules.True
	var failed error
	for _, c := range p.rule.Parts[p.number].When {
		holds, err := m.machine.Eval(c)
		if holds == rules.False {
			return rules.False
		}
		all = min(all, holds)
		failed = cmp.Or(failed, err)
	}
	switch {
	case failed != nil:
		m.notes = append(m.notes, Note{Rule: p.rule.ID, Outcome: OutcomeFailed, Err: failed})
	case all == rules.Unknown:
		m.notes = append(m.notes, Note{Rule: p.rule.ID, Outcome: OutcomeBlind})
	}
	return all
}

// excepted reports whether an exception surely takes the match away.
func (m *Matcher) excepted(r *rules.Rule, in *Input) bool {
	at := eventTime(in.Event.StageTime, in.Received)
	for i := range r.Exceptions {
		e := &r.Exceptions[i]
		if !e.Expires.IsZero() && !at.Before(e.Expires) {
			continue
		}
		if holds, _ := m.machine.Eval(e.When); holds == rules.True {
			m.notes = append(m.notes, Note{Rule: r.ID, Outcome: OutcomeExcepted, Exception: e.Name})
			return true
		}
	}
	return false
}

// match appends the match of a part to dst. An event without the value that the
// window counts is none.
func (m *Matcher) match(p *part, in *Input, dst []Match) []Match {
	r := p.rule
	value := ""
	if f := r.Window.Value; f != nil {
		if value = keyText(f.Text(&m.scope)); value == "" && r.Lists(p.number) {
			return dst
		}
	}
	var severity rules.Severity
	if len(r.Cases) > 0 {
		severity = r.SeverityOn(m.machine)
	}
	in.identify()
	m.scope.RequestID = in.RequestID
	by := r.Parts[p.number].By
	key := make(Key, len(r.By), len(r.By)+1)
	for i := range r.By {
		key[i] = KeyField{Name: r.By[i].Name, Value: keyText(by[i].Text(&m.scope))}
	}
	if r.Suppress == 0 {
		key = append(key, KeyField{Name: "request_id", Value: in.RequestID.String()})
	}
	return append(dst, Match{
		Rule:      r.ID,
		Version:   r.Version,
		Part:      uint8(p.number),
		Key:       key,
		Cluster:   in.Cluster,
		Namespace: cut(in.Event.ObjectRef.Namespace, maxRefText),
		Title:     r.Title.Values(&m.scope),
		Value:     value,
		Severity:  severity,
		Shape:     r.Shape,
		Event:     newEventRef(in),
	})
}

// identify makes the ids of an event that comes without.
func (in *Input) identify() {
	if in.ID == (audit.EventID{}) {
		in.ID = in.Event.ID(in.Cluster)
	}
	if in.RequestID == (audit.RequestID{}) {
		in.RequestID = in.Event.RequestID(in.Cluster)
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
