package sigma

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/klaxon-dev/klaxon/rules"
	"github.com/klaxon-dev/klaxon/rules/internal/yamlnode"
)

// source is a document of a file of Sigma rules.
type source struct {
	file    string
	offset  int // lines of the file before the document
	line    int // where its content begins
	members map[string]ast.Node

	title, id, name string
	status          string

	problems []Problem
	refused  bool // a problem says so
	skipped  bool
	foreign  bool // it is for another log
	dead     bool
	part     bool     // a correlation speaks for it
	claims   []string // the rules that it speaks for
	values   int      // of all items read so far

	detected *detection // memoised

	rule     rules.RuleID
	document string
}

// say notes a problem at a node; nil is the document's begin.
func (s *source) say(kind Kind, n ast.Node, field, format string, args ...any) {
	line, column := s.line, 1
	if n != nil {
		line, column = yamlnode.Position(n)
		line += s.offset
	}
	switch kind {
	case NoWay:
		s.refused = true
	case NotAskedOf:
		s.skipped = true
	}
	if len(s.problems) < maxProblems {
		s.problems = append(s.problems, Problem{
			Kind: kind, File: s.file, Line: line, Column: column,
			Title: s.title, Field: field, Message: fmt.Sprintf(format, args...),
		})
	}
}

func (s *source) refuse(n ast.Node, field, format string, args ...any) {
	s.say(NoWay, n, field, format, args...)
}

// finish returns what became of the document.
func (s *source) finish() Rule {
	slices.SortStableFunc(s.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	r := Rule{File: s.file, Line: s.line, Title: s.title, SigmaID: s.id, Problems: s.problems}
	switch {
	case s.refused:
		r.Outcome = Refused
	case s.dead:
		r.Outcome = Dead
	case s.foreign:
		r.Outcome = OtherLog
	case s.skipped:
		r.Outcome = Skipped
	default:
		r.Outcome, r.ID, r.Document = Converted, s.rule, s.document
	}
	return r
}

// head reads what names the document, so that problems can name it too.
func (s *source) head() {
	s.title = s.text("title")
	s.title = strings.Join(strings.Fields(clean(s.title)), " ")
	s.title = cut(s.title, 256)
	s.id = strings.ToLower(s.text("id"))
	s.name = s.text("name")
	s.status = strings.ToLower(s.text("status"))
	if s.id != "" && !isUUID(s.id) {
		s.say(Note, s.members["id"], "id", "%q is no UUID: the rule has no sigma tag", cut(s.id, 40))
	}
}

// text returns a member that is a scalar, "" if there is none.
func (s *source) text(key string) string {
	n := s.members[key]
	if n == nil {
		return ""
	}
	v, ok := scalarOf(n)
	switch {
	case !ok:
		s.refuse(n, key, "want a text")
	case v.kind == null:
		return ""
	}
	return v.text
}

// texts returns a member that is a list of scalars, or one scalar.
func (s *source) texts(field string, n ast.Node) []string {
	if n == nil {
		return nil
	}
	var out []string
	for _, v := range elements(n) {
		t, ok := scalarOf(v)
		switch {
		case !ok:
			s.refuse(v, field, "want a list of texts")
		case t.kind != null:
			out = append(out, t.text)
		}
	}
	return out
}

// isAudit reports whether a log source is the audit log of Kubernetes: the
// product, and the service or, as some write it, the category.
func (s *source) isAudit() bool {
	n := s.members["logsource"]
	if n == nil {
		s.refuse(nil, "logsource", "there is none: want product: kubernetes, service: audit")
		return false
	}
	given := map[string]string{}
	for _, m := range s.mapping(n, "logsource") {
		if v, ok := scalarOf(m.value); ok {
			given[m.key] = strings.ToLower(v.text)
		}
	}
	switch {
	case given["product"] != "kubernetes":
	case given["service"] == "audit" && (given["category"] == "" || given["category"] == "application" || given["category"] == "audit"):
		return true
	case given["service"] == "" && given["category"] == "audit":
		return true
	}
	s.foreign = true
	s.say(NotAskedOf, n, "logsource", "it is for another log than the audit log of Kubernetes (product: kubernetes, service: audit)")
	return false
}
