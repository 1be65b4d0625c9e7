package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"
)

// reading is what a condition looks at, as far as known evasions go by it.
type reading struct {
	condition    *Condition
	root         ast.Node
	named        bool
	verbs        []string // that it asks for
	subresources []string
	resources    []string
}

// evasions looks for what attackers are known to get round. Named says that the
// condition is about one object by its name, whether it says so or not.
func evasions(c *Condition, named bool) Problems {
	tree, err := parser.Parse(c.text)
	if err != nil {
		return nil // it did not compile either
	}
	r := &reading{condition: c, root: tree.Node, named: named}
	r.asked(tree.Node)
	var found Problems
	for _, look := range []func() (ast.Node, string){r.oneProtocol, r.oneVerb, r.onlyCreated, r.onlyMainContainers, r.byURI, r.byUserAgent, r.byFirstHop} {
		if n, message := look(); message != "" {
			found = append(found, c.problem(n, message))
		}
	}
	return found
}

// asked notes what verb and object are compared with, but for what is negated.
func (r *reading) asked(n ast.Node) {
	switch n := n.(type) {
	case *ast.ConditionalNode:
		r.asked(n.Cond)
		r.asked(n.Exp1)
		r.asked(n.Exp2)
	case *ast.BinaryNode:
		if connective(n) != "" {
			r.asked(n.Left)
			r.asked(n.Right)
			return
		}
		var words []string
		switch s, isString := n.Right.(*ast.StringNode); {
		case n.Operator == "==" && isString:
			words = []string{s.Value}
		case n.Operator == "in":
			words, _ = stringsOf(n.Right)
		}
		switch dotted(n.Left) {
		case "verb":
			r.verbs = append(r.verbs, words...)
		case "objectRef.subresource":
			r.subresources = append(r.subresources, words...)
		case "objectRef.resource":
			r.resources = append(r.resources, words...)
		}
	}
}

// sessions are the subresources that a client may open by either protocol.
var sessions = []string{"exec", "attach", "portforward"}

func (r *reading) oneProtocol() (ast.Node, string) {
	opens := len(r.subresources) > 0 && !slices.ContainsFunc(r.subresources, func(s string) bool { return !slices.Contains(sessions, s) })
	if !opens || len(r.verbs) == 0 || slices.Contains(r.verbs, "get") && slices.Contains(r.verbs, "create") {
		return nil, ""
	}
	return r.node("verb"), fmt.Sprintf("%s is recorded with verb get from WebSocket clients and create from SPDY clients: ask for both", r.subresources[0])
}

// twins are verbs that do the same.
var twins = map[string]string{"delete": "deletecollection", "update": "patch", "patch": "update"}

func (r *reading) oneVerb() (ast.Node, string) {
	for _, verb := range []string{"delete", "update", "patch"} {
		if verb == "delete" && r.names() {
			continue
		}
		if twin := twins[verb]; slices.Contains(r.verbs, verb) && !slices.Contains(r.verbs, twin) {
			return r.node("verb"), fmt.Sprintf("what %s does, %s does too: ask for both", verb, twin)
		}
	}
	return nil, ""
}

// names reports whether the condition is about one object by its name: a
// collection has none.
func (r *reading) names() bool {
	return r.named || slices.ContainsFunc(r.condition.fields, func(f *Field) bool { return namesObject(*f) })
}

// fixed are resources whose objects cannot be changed in what conditions look at.
var fixed = []string{"pods", "jobs", "tokenreviews", "subjectaccessreviews", "selfsubjectaccessreviews", "certificatesigningrequests"}

func (r *reading) onlyCreated() (ast.Node, string) {
	body := slices.ContainsFunc(r.condition.fields, func(f *Field) bool { return f.Body })
	changed := slices.ContainsFunc(r.resources, func(s string) bool { return !slices.Contains(fixed, s) })
	created := len(r.verbs) > 0 && !slices.ContainsFunc(r.verbs, func(v string) bool { return v != "create" })
	if !body || !changed || !created {
		return nil, ""
	}
	return r.node("verb"), "an object that is created harmless can be changed later: ask for update and patch too"
}

// mainContainers are the paths below which the main containers alone stand.
var mainContainers = []string{"object.spec.containers", "object.spec.template.spec.containers", "object.spec.jobTemplate.spec.template.spec.containers"}

func (r *reading) onlyMainContainers() (ast.Node, string) {
	for _, path := range mainContainers {
		if n := r.node(path); n != nil {
			return n, path + " leaves out init and ephemeral containers, and those of other kinds of workloads: use containers"
		}
	}
	return nil, ""
}

func (r *reading) byURI() (ast.Node, string) {
	if n := r.node("requestURI"); n != nil {
		return n, "a URI can be written in many ways (%2F, parameters in any order): use objectRef, path or query"
	}
	return nil, ""
}

// incidental are fields that narrow a condition down without telling good from bad.
var incidental = []string{"userAgent", "verb", "stage", "level", "allowed", "denied", "responseStatus.code"}

func (r *reading) byUserAgent() (ast.Node, string) {
	n := r.node("userAgent")
	if n == nil {
		return nil, ""
	}
	alone := !slices.ContainsFunc(r.condition.fields, func(f *Field) bool { return !slices.Contains(incidental, f.Name) })
	if alone || r.spares("userAgent") {
		return n, "a client chooses its userAgent: whoever knows the rule writes another one"
	}
	return nil, ""
}

// spares reports whether all that a condition needs is that a field is something
// else.
func (r *reading) spares(name string) bool {
	operands := []ast.Node{r.root}
	if b, ok := r.root.(*ast.BinaryNode); ok && connective(b) == "&&" {
		operands = chain(b)
	}
	return slices.ContainsFunc(operands, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.UnaryNode:
			return reads(n, name) && !readsOther(n, name)
		case *ast.BinaryNode:
			return n.Operator == "!=" && dotted(n.Left) == name
		default:
			return false
		}
	})
}

func (r *reading) byFirstHop() (ast.Node, string) {
	var found ast.Node
	ast.Walk(&r.root, visitor(func(n *ast.Node) {
		if m, ok := (*n).(*ast.MemberNode); ok && dotted(m.Node) == "sourceIPs" {
			found = m
		}
	}))
	if found == nil {
		return nil, ""
	}
	return found, "all but the last of sourceIPs are the client's own words: use sourceIP.client"
}

// claims are fields that a client writes as it likes.
var claims = []string{"userAgent", "auditID", "sourceIPs", "requestURI", "query"}

// claimed returns a warning for an exception that whoever knows it can claim.
func claimed(c *Condition) *Problem {
	if len(c.fields) == 0 || slices.ContainsFunc(c.fields, func(f *Field) bool { return !slices.Contains(claims, f.Name) }) {
		return nil
	}
	p := c.problem(nil, fmt.Sprintf("%s is the client's own word: whoever knows the exception can claim it", c.fields[0].Name))
	p.Warning = true
	return &p
}

// node returns the first node that spells a name or begins with it.
func (r *reading) node(name string) ast.Node {
	var found ast.Node
	ast.Walk(&r.root, visitor(func(n *ast.Node) {
		if found == nil && dotted(*n) == name {
			found = *n
		}
	}))
	return found
}

func reads(n ast.Node, name string) bool {
	found := false
	ast.Walk(&n, visitor(func(n *ast.Node) { found = found || dotted(*n) == name }))
	return found
}

// readsOther reports whether a node reads a field of another name.
func readsOther(n ast.Node, name string) bool {
	found := false
	ast.Walk(&n, visitor(func(n *ast.Node) {
		if f := fieldOf(*n); f != nil && f.Name != name && !strings.HasPrefix(name, f.Name+".") {
			found = true
		}
	}))
	return found
}
