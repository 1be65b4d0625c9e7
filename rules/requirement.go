package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
)

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

// String says what the field must be.
func (r requirement) String() string {
	if r.prefix {
		return "begins with " + quoted(r.words)
	}
	return "is " + quoted(r.words)
}

// excludes reports whether no event meets both requirements, as far as their words
// tell. A list may hold the words of both.
func (r requirement) excludes(other requirement) bool {
	if r.field != other.field || r.field.list != nil {
		return false
	}
	return !slices.ContainsFunc(r.words, func(a string) bool {
		return slices.ContainsFunc(other.words, func(b string) bool {
			return a == b || r.prefix && strings.HasPrefix(b, a) || other.prefix && strings.HasPrefix(a, b)
		})
	})
}

// quoted writes words as "a", "b" or "c".
func quoted(words []string) string {
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = fmt.Sprintf("%q", w)
	}
	if len(texts) == 1 {
		return texts[0]
	}
	return strings.Join(texts[:len(texts)-1], ", ") + " or " + texts[len(texts)-1]
}
