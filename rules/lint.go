package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"
)

// Lint looks for rules that can never fire on a real event, that are known to be
// evaded, and that have no tests. The first are errors, the last too in builtin
// packs; the others are warnings.
func Lint(set *Set) Problems {
	var problems Problems
	for _, r := range set.Rules {
		add := func(p Problem) {
			p.File, p.Rule = r.File, r.ID
			problems = append(problems, p)
		}
		for _, at := range r.conditions() {
			for _, p := range lintCondition(at.condition) {
				p.Field = at.field
				add(p)
			}
			for _, p := range evasions(at.condition, at.joined) {
				p.Field, p.Warning = at.field, true
				add(p)
			}
		}
		for i := range r.Cases {
			for _, p := range lintCondition(r.Cases[i].When) {
				p.Field = fmt.Sprintf("severity[%d]", i)
				add(p)
			}
		}
		for i := range r.Exceptions {
			if e := &r.Exceptions[i]; e.change == nil { // what comes from outside has been looked at
				for _, p := range lintException(e) {
					p.Field = "exceptions"
					add(p)
				}
			}
		}
		lintTests(r, add)
	}
	return problems
}

// placed is a condition with the field of the rule that it stands in.
type placed struct {
	field     string
	condition *Condition
	joined    bool // with other steps by the object's name: a collection has none
}

// conditions lists what a rule looks for: its condition and those of its window.
func (r *Rule) conditions() []placed {
	var all []placed
	if r.When != nil {
		all = append(all, placed{field: "when", condition: r.When})
	}
	step := func(field string, s *Step) {
		by := s.By
		if len(by) == 0 {
			by = r.By
		}
		all = append(all, placed{field, s.When, slices.ContainsFunc(by, namesObject)})
	}
	for i := range r.Window.Steps {
		step(fmt.Sprintf("window.%s[%d]", r.Window.Kind, i), &r.Window.Steps[i])
	}
	if r.Window.Until != nil {
		step("window.until", r.Window.Until)
	}
	return all
}

func namesObject(f Field) bool { return f.Name == "objectRef.name" || f.Name == "object.key" }

func lintTests(r *Rule, add func(Problem)) {
	fires, silent := 0, 0
	for _, t := range r.Tests {
		if t.Findings > 0 {
			fires++
		} else {
			silent++
		}
	}
	missing := func(message string) {
		add(Problem{Line: r.Line, Column: 1, Field: "tests", Message: message, Warning: r.Origin != OriginBuiltin})
	}
	if fires == 0 {
		missing("no test shows an event that the rule finds")
	}
	if silent == 0 {
		missing("no test shows an event that the rule leaves alone")
	}
}

// lintException looks for an exception that never holds, or that anyone can claim.
func lintException(e *Exception) Problems {
	problems := lintCondition(e.When)
	if p := claimed(e.When); p != nil {
		problems = append(problems, *p)
	}
	return problems
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

func lintCondition(c *Condition) Problems {
	tree, err := parser.Parse(c.text)
	if err != nil {
		return Problems{c.problem(nil, err.Error())}
	}
	l := &linter{condition: c}
	ast.Walk(&tree.Node, l)
	return l.found
}

type linter struct {
	condition *Condition
	found     Problems
}

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
	l.found = append(l.found, l.condition.problem(value, fmt.Sprintf("%s is never %q: %s", name, s.Value, hint)))
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
