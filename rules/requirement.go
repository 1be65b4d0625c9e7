package rules

import "github.com/expr-lang/expr/ast"

// requirement says that a condition can hold only where a field is one of some
// words, begins with one of them, or is a list that holds one of them.
type requirement struct {
	field  *Field
	words  []string
	prefix bool
}

// requirements returns what a condition requires at its top level.
func requirements(n ast.Node) []requirement {
	operands := []ast.Node{n}
	if b, ok := n.(*ast.BinaryNode); ok && connective(b) == "&&" {
		operands = chain(b)
	}
	var required []requirement
	for _, operand := range operands {
		if b, ok := operand.(*ast.BinaryNode); ok {
			if r := comparisonRequires(b); r != nil {
				required = append(required, *r)
			}
		}
	}
	return required
}

// comparisonRequires returns what one comparison requires, nil if it is of another kind.
func comparisonRequires(n *ast.BinaryNode) *requirement {
	if f := fieldOf(n.Right); f != nil && f.list != nil && n.Operator == "in" {
		if s, ok := n.Left.(*ast.StringNode); ok {
			return &requirement{field: f, words: []string{s.Value}}
		}
	}
	f := fieldOf(n.Left)
	if f == nil || f.text == nil {
		return nil
	}
	if n.Operator == "in" {
		if words, ok := stringsOf(n.Right); ok {
			return &requirement{field: f, words: words}
		}
		return nil
	}
	s, ok := n.Right.(*ast.StringNode)
	if !ok || n.Operator != "==" && n.Operator != "startsWith" {
		return nil
	}
	return &requirement{field: f, words: []string{s.Value}, prefix: n.Operator == "startsWith"}
}
