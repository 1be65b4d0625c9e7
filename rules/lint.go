package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"
)

// Lint looks for rules that can never fire on a real event and for rules
// without tests. The first are errors, the second too in builtin packs.
func Lint(set *Set) Problems {
	var problems Problems
	for _, r := range set.Rules {
		add := func(field, message string, warning bool) {
			problems = append(problems, Problem{File: r.File, Line: r.Line, Column: 1, Rule: r.ID, Field: field, Message: message, Warning: warning})
		}
		for _, m := range lintCondition(r.When) {
			add("when", m, false)
		}
		for i, step := range r.Window.Steps {
			for _, m := range lintCondition(step.When) {
				add(fmt.Sprintf("window.%s[%d]", r.Window.Kind, i), m, false)
			}
		}
		if until := r.Window.Until; until != nil {
			for _, m := range lintCondition(until.When) {
				add("window.until", m, false)
			}
		}
		for _, e := range r.Exceptions {
			for _, m := range lintCondition(e.When) {
				add("exceptions", m, false)
			}
		}
		lintTests(r, add)
	}
	return problems
}

func lintTests(r *Rule, add func(field, message string, warning bool)) {
	warning := r.Origin != OriginBuiltin
	fires, silent := 0, 0
	for _, t := range r.Tests {
		if t.Findings > 0 {
			fires++
		} else {
			silent++
		}
	}
	if fires == 0 {
		add("tests", "no test shows an event that the rule finds", warning)
	}
	if silent == 0 {
		add("tests", "no test shows an event that the rule leaves alone", warning)
	}
}

// values lists what a field can be on an event that is matched. What an API
// server never writes makes a comparison that never holds.
var values = map[string][]string{
	"verb":                   {"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "proxy", "post", "put", "head", "options", "connect", "trace", ""},
	"stage":                  {"ResponseStarted", "ResponseComplete", "Panic"},
	"level":                  {"Metadata", "Request", "RequestResponse"},
	"actor.kind":             {"human", "serviceaccount", "node", "controlplane", "anonymous"},
	"actor.effectiveKind":    {"human", "serviceaccount", "node", "controlplane", "anonymous"},
	"authorization.decision": {"allow", "forbid", ""},
	"responseStatus.status":  {"Success", "Failure", ""},
}

// hints say what was probably meant.
var hints = map[string]string{
	"exec":            `exec is a subresource: objectRef.subresource == "exec", with verb "get" (WebSocket) or "create" (SPDY)`,
	"attach":          `attach is a subresource: objectRef.subresource == "attach"`,
	"portforward":     `portforward is a subresource: objectRef.subresource == "portforward"`,
	"impersonate":     `impersonate is a permission, not a verb of a request: use actor.impersonating`,
	"escalate":        `escalate is a permission, not a verb of a request`,
	"bind":            `bind is a permission, not a verb of a request`,
	"approve":         `approve is a permission: objectRef.subresource == "approval"`,
	"replace":         `a replace is recorded as "update"`,
	"RequestReceived": "RequestReceived is stored and not matched: the request's outcome is not known there",
}

func lintCondition(c *Condition) []string {
	if c == nil {
		return nil
	}
	tree, err := parser.Parse(c.text)
	if err != nil {
		return []string{err.Error()}
	}
	l := &linter{}
	ast.Walk(&tree.Node, l)
	return l.found
}

type linter struct{ found []string }

func (l *linter) Visit(node *ast.Node) {
	n, ok := (*node).(*ast.BinaryNode)
	if !ok {
		return
	}
	switch n.Operator {
	case "==", "!=":
		l.compare(n.Left, n.Right)
		l.compare(n.Right, n.Left)
	case "in":
		if array, ok := n.Right.(*ast.ArrayNode); ok {
			for _, v := range array.Nodes {
				l.compare(n.Left, v)
			}
		}
	}
}

func (l *linter) compare(field, value ast.Node) {
	name := dotted(field)
	s, ok := value.(*ast.StringNode)
	known := values[name]
	if !ok || known == nil || slices.Contains(known, s.Value) {
		return
	}
	hint := hints[s.Value]
	if hint == "" {
		hint = "it is one of " + strings.Join(slices.DeleteFunc(slices.Clone(known), func(s string) bool { return s == "" }), ", ")
	}
	l.found = append(l.found, fmt.Sprintf("%s is never %q: %s", name, s.Value, hint))
}

// dotted returns the name that a node spells, "" if it spells none.
func dotted(n ast.Node) string {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		return n.Value
	case *ast.MemberNode:
		if p, ok := n.Property.(*ast.StringNode); ok {
			if base := dotted(n.Node); base != "" {
				return base + "." + p.Value
			}
		}
	}
	return ""
}
