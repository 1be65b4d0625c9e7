package rules

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"
)

// compileParts makes closures of what program does.
func (c *Condition) compileParts() error {
	tree, err := parser.Parse(c.text)
	if err != nil {
		return fromExpr(err, c.text)
	}
	parts := &closures{uses: map[string]*use{}}
	parts.rest = func(n ast.Node) closure {
		part, text, partErr := compilePart(n)
		c.machine = append(c.machine, text)
		err = errors.Join(err, partErr)
		return part
	}
	c.holds = parts.condition(tree.Node)
	c.parts, c.uses, c.needs = parts.parts, parts.uses, requirements(tree.Node)
	return err
}

// compilePart compiles a part of a condition, which has been checked as a whole,
// for the virtual machine. It returns its text, too.
func compilePart(n ast.Node) (closure, string, error) {
	text, err := textOf(n)
	if err != nil {
		return nil, text, err
	}
	binder := &binder{text: text}
	program, err := expr.Compile(text, options(binder)...)
	if err != nil {
		return nil, text, fromExpr(err, text)
	}
	fields := binder.used()
	return func(m *Machine) Truth { return m.run(program, fields) }, text, nil
}

// textOf writes a part of a condition; nothing walks it after that. What would be
// read as something else is a mistake.
func textOf(n ast.Node) (string, error) {
	meant := ast.Dump(n)
	ast.Walk(&n, visitor(spellOut))
	text := n.String()
	if tree, err := parser.Parse(text); err != nil || ast.Dump(tree.Node) != meant {
		return text, &conditionError{Line: 1, Message: fmt.Sprintf("%s cannot be told from its surroundings: write it in another way", text)}
	}
	return text, nil
}

// spelled is a node with a text of ours.
type spelled struct {
	ast.Node
	text string
}

func (s spelled) String() string { return s.text }

// spellOut mends what the expression language writes of its own nodes: it leaves
// out the parentheses of (a ? b : c)[0], and the point of 2.0.
func spellOut(node *ast.Node) {
	parentheses := func(of *ast.Node) {
		switch n := (*of).(type) {
		case *ast.ConditionalNode, *ast.BinaryNode, *ast.UnaryNode:
			*of = spelled{n, "(" + n.String() + ")"}
		}
	}
	switch n := (*node).(type) {
	case *ast.FloatNode:
		*node = spelled{n, strconv.FormatFloat(n.Value, 'e', -1, 64)}
	case *ast.MemberNode:
		parentheses(&n.Node)
	case *ast.SliceNode:
		parentheses(&n.Node)
	}
}
