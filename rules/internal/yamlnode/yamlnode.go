// Package yamlnode reads what every reader of YAML here asks of a parsed
// document: where a node stands, what it holds that is not read, and where a text
// is no YAML.
package yamlnode

import (
	"errors"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// Position returns where a node begins, from 1; of a mapping, its first key.
func Position(n ast.Node) (line, column int) {
	t := n.GetToken()
	if m, ok := n.(*ast.MappingNode); ok && len(m.Values) > 0 && !m.IsFlowStyle {
		t = m.Values[0].Key.GetToken()
	}
	if t == nil || t.Position == nil {
		return 1, 1
	}
	return t.Position.Line, t.Position.Column
}

// Alias returns a node below n that is an alias, an anchor or a merge key, nil if
// there is none.
func Alias(n ast.Node) ast.Node {
	var found ast.Node
	ast.Walk(walker(func(n ast.Node) bool {
		if t := n.Type(); t == ast.AliasType || t == ast.AnchorType || t == ast.MergeKeyType {
			found = n
		}
		return found == nil
	}), n)
	return found
}

type walker func(ast.Node) bool

func (w walker) Visit(n ast.Node) ast.Visitor {
	if w(n) {
		return w
	}
	return nil
}

// Syntax returns where, from 1, and why the parser refused a text. The error's own
// text is not asked for where it can be helped: it shows the source around the
// place, and its time grows with the square of that.
func Syntax(err error) (line, column int, message string) {
	var located yaml.Error
	if !errors.As(err, &located) {
		return 1, 1, err.Error()
	}
	line, column = 1, 1
	if t := located.GetToken(); t != nil && t.Position != nil {
		line, column = t.Position.Line, t.Position.Column
	}
	return line, column, located.GetMessage()
}

// Nested returns how many lists and keys a line of a text begins one in the other,
// as in "- - ? - x", at most. The parser's time grows with the square of it.
func Nested(text string) int {
	most, run := 0, 0
	for i := range len(text) {
		switch c := text[i]; {
		case c == ' ' || c == '\t':
		case strings.IndexByte("-?:", c) >= 0 && i+1 < len(text) && text[i+1] == ' ':
			run++
			most = max(most, run)
		default:
			run = 0
		}
	}
	return most
}
