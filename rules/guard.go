package rules

import (
	"fmt"
	"net/netip"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// guard refuses what is unbounded or has no place in a condition.
type guard struct {
	err error
}

func (g *guard) Visit(node *ast.Node) {
	if g.err != nil {
		return
	}
	switch n := (*node).(type) {
	case *ast.BinaryNode:
		g.binary(n)
	case *ast.BuiltinNode:
		if !slices.Contains(builtins, n.Name) {
			g.refuse(n, fmt.Sprintf("%s is not allowed in a condition; there are %s", n.Name, strings.Join(builtins, ", ")))
		}
	case *ast.CallNode:
		g.call(n)
	case *ast.VariableDeclaratorNode:
		g.refuse(n, "let is not allowed in a condition: write the expression out")
	case *ast.SequenceNode:
		g.refuse(n, "a condition is one expression, without ;")
	case *ast.PredicateNode:
		if depth(n) > maxPredicates {
			g.refuse(n, fmt.Sprintf("predicates are nested deeper than %d", maxPredicates))
		}
	}
}

func (g *guard) binary(n *ast.BinaryNode) {
	switch n.Operator {
	case "..":
		g.refuse(n, "ranges are not allowed: a condition's cost must be bounded")
	case "matches":
		if s, ok := n.Right.(*ast.StringNode); !ok {
			g.refuse(n, "the pattern of matches must be a constant string")
		} else if steps := patternSteps(s.Value); steps > maxPatternSteps {
			g.refuse(n, fmt.Sprintf("the pattern has %d steps, at most %d are allowed: repeat less in it", steps, maxPatternSteps))
		}
	case "+", "-", "*", "/", "%", "^", "**":
		g.refuse(n, "arithmetic is not allowed in a condition")
	}
}

func (g *guard) call(n *ast.CallNode) {
	callee, _ := n.Callee.(*ast.IdentifierNode)
	if callee == nil || callee.Value != "inCIDR" || len(n.Arguments) != 2 {
		return
	}
	if s, ok := n.Arguments[1].(*ast.StringNode); !ok {
		g.refuse(n, "the range of inCIDR must be a constant string")
	} else if _, err := netip.ParsePrefix(s.Value); err != nil {
		g.refuse(n, fmt.Sprintf("%q is no range of addresses such as 10.0.0.0/8", cut(s.Value, 80)))
	}
}

// patternSteps returns how many steps a pattern makes of each byte at most; 0 for
// one that is none.
func patternSteps(pattern string) int {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return 0 // the compiler says what is wrong
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return 0
	}
	return len(program.Inst)
}

func (g *guard) refuse(n ast.Node, message string) {
	g.err = &guardError{node: n, message: message}
}

type guardError struct {
	node    ast.Node
	message string
}

func (e *guardError) Error() string { return e.message }

// depth counts the predicates that are nested in n, n included.
func depth(n ast.Node) int {
	counter := &depthCounter{}
	ast.Walk(&n, counter)
	return counter.max
}

// depthCounter sees children before parents: the deepest predicate first.
type depthCounter struct {
	heights map[ast.Node]int
	max     int
}

func (d *depthCounter) Visit(node *ast.Node) {
	if _, ok := (*node).(*ast.PredicateNode); !ok {
		return
	}
	if d.heights == nil {
		d.heights = map[ast.Node]int{}
	}
	height := 1
	for inner, h := range d.heights {
		if contains(*node, inner) {
			height = max(height, h+1)
		}
	}
	d.heights[*node] = height
	d.max = max(d.max, height)
}

func contains(outer, inner ast.Node) bool {
	found := false
	ast.Walk(&outer, visitor(func(n *ast.Node) { found = found || *n == inner }))
	return found && outer != inner
}
