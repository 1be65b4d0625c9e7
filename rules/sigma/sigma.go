// Package sigma converts Sigma rules for the audit log of Kubernetes into rules
// of Klaxon: detections, and the correlations event_count, value_count, temporal
// and temporal_ordered. It says of each rule what it could not convert and why,
// and what in it can never be true of a real event.
//
// The formats are those of the Sigma specification 2.1 (rules, correlations,
// modifiers). The package reads and writes no file.
package sigma

import (
	"fmt"
	"strings"

	"github.com/klaxon-dev/klaxon/rules"
)

// Bounds on what is read. A document is what stands between two lines of ---.
const (
	MaxFileBytes     = 1 << 20
	maxDocumentBytes = 64 << 10
	maxDocumentLines = 2_000
	maxNesting       = 500 // brackets
	maxConditions    = 20  // of one rule; each is enough
	maxValues        = 400 // of one rule: an expression has at most 500 nodes
	maxSelections    = 100 // of one rule
	maxProblems      = 50  // of one rule; the first are kept
)

// Outcome says what became of a rule of the source.
type Outcome string

// The outcomes.
const (
	Converted Outcome = "converted" // Document holds it
	Dead      Outcome = "never"     // no real event can make it fire
	Refused   Outcome = "refused"   // a part of it has no counterpart
	Skipped   Outcome = "skipped"   // it is out of use, or a part of another
	OtherLog  Outcome = "other_log" // it is not for the audit log of Kubernetes
)

// Kind says what a problem means for its rule.
type Kind string

// The kinds of problems.
const (
	Note       Kind = "note"    // the rule is converted, and this is worth knowing
	NeverTrue  Kind = "never"   // this part is never true; the rest may be
	NoWay      Kind = "refused" // the rule is not converted because of this
	NotAskedOf Kind = "skipped" // the rule is not converted, nor should it be
)

// File is a file of Sigma rules.
type File struct {
	Name   string
	Source []byte
}

// Problem is what there is to say of a part of a rule.
type Problem struct {
	Kind    Kind   `json:"kind"`
	File    string `json:"file"`
	Line    int    `json:"line"`            // from 1
	Column  int    `json:"column"`          // from 1
	Title   string `json:"title,omitempty"` // of the rule
	Field   string `json:"field,omitempty"` // as detection.selection.verb
	Message string `json:"message"`         // what it is, and what to do
}

// Error returns the problem in one line. What it quotes of the source is an
// author's text: render it before it goes to a terminal.
func (p Problem) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d:%d: %s: ", p.File, p.Line, p.Column, p.Kind)
	if p.Title != "" {
		fmt.Fprintf(&b, "%q: ", p.Title)
	}
	if p.Field != "" {
		fmt.Fprintf(&b, "%s: ", p.Field)
	}
	b.WriteString(p.Message)
	return b.String()
}

// Rule is one document of the source and what became of it.
type Rule struct {
	File     string       `json:"file"`
	Line     int          `json:"line"`
	Title    string       `json:"title,omitempty"`
	SigmaID  string       `json:"sigma_id,omitempty"`
	Outcome  Outcome      `json:"outcome"`
	ID       rules.RuleID `json:"id,omitempty"`       // of the converted rule
	Document string       `json:"document,omitempty"` // the converted rule in YAML
	Problems []Problem    `json:"problems,omitempty"` // in order of place
}

// Convert converts the rules of files, which may refer to one another. Every
// document of them has a Rule, in order of files and places; a converted one
// passes [rules.Parse] and [rules.Lint] without errors, and its id is unlike
// those of the others and those that are taken.
func Convert(files []File, taken []rules.RuleID) []Rule {
	c := newConverter(taken)
	for _, f := range files {
		c.read(f)
	}
	for _, s := range c.sources {
		c.classify(s)
	}
	c.settle()
	for _, s := range c.sources {
		c.convert(s)
	}
	out := make([]Rule, len(c.sources))
	for i, s := range c.sources {
		out[i] = s.finish()
	}
	return out
}
