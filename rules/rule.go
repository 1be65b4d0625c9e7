// Package rules is the rule format: it parses, type-checks and compiles
// detection rules, and says of each mistake where it is and what to do.
//
// A rule is a YAML document whose condition is an expression (expr-lang/expr)
// over the vocabulary of [Vocabulary]. The package evaluates conditions on one
// event; what happens over many events is package detect's.
package rules

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// RuleID is a rule's stable name in kebab-case.
type RuleID string

// Severity says how bad it is that a rule fires.
type Severity string

// The severities, least first.
const (
	Info     Severity = "info"
	Low      Severity = "low"
	Medium   Severity = "medium"
	High     Severity = "high"
	Critical Severity = "critical"
)

// Severities lists all severities, least first.
var Severities = []Severity{Info, Low, Medium, High, Critical}

// Rank orders severities: 0 for Info to 4 for Critical, -1 for anything else.
func (s Severity) Rank() int { return slices.Index(Severities, s) }

// Origins of rules.
const (
	OriginBuiltin = "builtin"
	OriginUser    = "user"
)

// Rule is one compiled rule. It does not change and is safe for concurrent use.
type Rule struct {
	ID             RuleID
	Version        string // hash of what decides: condition, window, by, suppress, exceptions
	Written        string // the same of the rule as its own file has it, without changes from outside
	Title          Template
	Description    string
	Severity       Severity
	Cases          []SeverityCase // where Severity is another, the first that holds
	Mode           Mode
	Tags           []string
	When           *Condition    // nil only where the window's steps say all
	Window         Window        // which matches are a finding
	Parts          []Part        // the conditions whose matches the window is about
	By             []Field       // what findings are grouped by
	Suppress       time.Duration // length of a bucket; 0: every request is a finding of its own
	Exceptions     []Exception
	Runbook        string
	FalsePositives []string
	Tests          []Test
	Shape          string // hash of window, by, suppress and the title's placeholders: only matches of one shape are gathered together
	Definition     []byte // what gathering matches needs of the rule: see ReadDefinition

	Origin string // OriginBuiltin or OriginUser
	File   string
	Line   int
	Source string // the document's text

	Disabled bool
	Changes  []*Change          // from outside, in the order in which they were read
	set      map[string]*Change // which change set a field
	written  *Rule              // as its own file has it; nil: as it is
}

// Exception takes away what a rule would find. It holds only where its
// condition surely does, until it expires (in event time).
type Exception struct {
	Name    string
	When    *Condition
	Owner   string
	Ticket  string
	Expires time.Time // zero: never

	change *Change // the document that adds it from outside; nil for the rule's own
}

// Test is a case that ships with its rule.
type Test struct {
	Name     string
	Line     int
	Events   []TestEvent
	Findings int // how many findings the events make
	Expect   []Expected
}

// Expected is what one of a test's findings holds; nil and "" are not looked at.
type Expected struct {
	Count    *int
	Distinct *int
	Severity Severity
	Key      map[string]string // some fields of the key
}

// String says what is expected.
func (e Expected) String() string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	if e.Count != nil {
		add("count %d", *e.Count)
	}
	if e.Distinct != nil {
		add("distinct %d", *e.Distinct)
	}
	if e.Severity != "" {
		add("severity %s", e.Severity)
	}
	for _, name := range slices.Sorted(maps.Keys(e.Key)) {
		add("%s=%s", name, e.Key[name])
	}
	return strings.Join(parts, ", ")
}

// TestEvent is an event of a test: only the fields that matter.
type TestEvent struct {
	At   time.Duration // after the test's start
	JSON []byte        // an audit event; what is missing has a default
}

// DefaultSuppress is the length of a bucket where a rule names none.
const DefaultSuppress = time.Hour

// defaultBy is what findings are grouped by where a rule does not say.
var defaultBy = []string{"cluster", "actor.name", "object.key"}
