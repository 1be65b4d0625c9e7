package sigma

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/klaxon-dev/klaxon/rules/internal/yamlnode"
)

// read adds the documents of a file.
func (c *converter) read(f File) {
	if len(f.Source) > MaxFileBytes {
		c.broken(f.Name, 1, fmt.Sprintf("the file has %d bytes, at most %d are read: split it", len(f.Source), MaxFileBytes))
		return
	}
	if !utf8.Valid(f.Source) {
		c.broken(f.Name, 1, "the file is no UTF-8 text")
		return
	}
	text := bytes.TrimPrefix(f.Source, []byte("\ufeff"))
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	lines := strings.Split(string(text), "\n")
	for start := 0; start < len(lines); {
		end := start
		for end < len(lines) && (end == start || !isDivider(lines[end])) {
			end++
		}
		c.readDocument(f.Name, start, lines[start:end])
		start = end
	}
}

// isDivider reports whether a line begins a document.
func isDivider(line string) bool {
	rest, ok := strings.CutPrefix(line, "---")
	return ok && (rest == "" || rest[0] == ' ' || rest[0] == '\t')
}

// readDocument adds a document that begins after offset lines of its file.
func (c *converter) readDocument(file string, offset int, lines []string) {
	text := strings.Join(lines, "\n")
	if why := tooMuch(text, len(lines)); why != "" {
		c.broken(file, offset+1, why)
		return
	}
	tree, err := parser.ParseBytes([]byte(text), 0)
	if err != nil {
		line, _, message := yamlnode.Syntax(err)
		message, _, _ = strings.Cut(message, "\n")
		message = cut(clean(message), 200)
		c.broken(file, offset+line, "this is no YAML: "+message)
		return
	}
	for _, doc := range tree.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.NullType || doc.Body.Type() == ast.CommentType {
			continue
		}
		c.addDocument(file, offset, doc.Body)
	}
}

func (c *converter) addDocument(file string, offset int, body ast.Node) {
	line, _ := yamlnode.Position(body)
	s := &source{file: file, offset: offset, line: offset + line, members: map[string]ast.Node{}}
	c.sources = append(c.sources, s)
	if alias := yamlnode.Alias(body); alias != nil {
		s.refuse(alias, "", "anchors and aliases are not read: write the value out")
		return
	}
	for _, m := range s.mapping(body, "") {
		s.members[m.key] = m.value
	}
	s.head()
}

// broken adds a document that could not be read.
func (c *converter) broken(file string, line int, why string) {
	s := &source{file: file, line: line}
	s.refuse(nil, "", "%s", why)
	c.sources = append(c.sources, s)
}

// tooMuch says why a document is not handed to the parser, "" if it is: its
// time grows faster than what it is given.
func tooMuch(text string, lines int) string {
	if len(text) > maxDocumentBytes || lines > maxDocumentLines {
		return fmt.Sprintf("the document has %d bytes in %d lines, at most %d in %d are read", len(text), lines, maxDocumentBytes, maxDocumentLines)
	}
	if open := brackets(text); open > maxNesting {
		return fmt.Sprintf("it leaves %d brackets open, at most %d are read", open, maxNesting)
	}
	if nested := yamlnode.Nested(text); nested > maxNesting {
		return fmt.Sprintf("a line begins %d lists in one another, at most %d are read", nested, maxNesting)
	}
	return ""
}

// brackets returns how many are open at most. Those in quotes count too: a rule
// has few.
func brackets(text string) int {
	open, most := 0, 0
	for i := range len(text) {
		switch text[i] {
		case '[', '{':
			open++
		case ']', '}':
			open = max(open-1, 0)
		}
		most = max(most, open)
	}
	return most
}

// member is a key of a mapping with its value.
type member struct {
	key   string
	at    ast.Node // the key
	value ast.Node
}

// mapping returns the members of n, which must be a mapping.
func (s *source) mapping(n ast.Node, field string) []member {
	values, ok := pairs(n)
	if !ok {
		s.refuse(n, field, "want a mapping of keys to values")
		return nil
	}
	members := make([]member, 0, len(values))
	for _, v := range values {
		key, ok := scalarOf(v.Key)
		if !ok {
			s.refuse(v.Key, field, "want a text as key")
			continue
		}
		members = append(members, member{key.text, v.Key, v.Value})
	}
	return members
}

func pairs(n ast.Node) ([]*ast.MappingValueNode, bool) {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	default:
		return nil, false
	}
}

func isMapping(n ast.Node) bool {
	_, ok := pairs(n)
	return ok
}

// elements returns the elements of a list; anything else is a list of one.
func elements(n ast.Node) []ast.Node {
	if list, ok := n.(*ast.SequenceNode); ok {
		return list.Values
	}
	return []ast.Node{n}
}

type scalarKind int

const (
	word scalarKind = iota
	integer
	boolean
	null
)

// scalar is a single value.
type scalar struct {
	kind scalarKind
	text string // as it was written
	node ast.Node
}

func scalarOf(n ast.Node) (scalar, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return scalar{word, n.Value, n}, true
	case *ast.LiteralNode:
		return scalar{word, strings.TrimRight(n.Value.Value, "\n"), n}, true
	case *ast.IntegerNode:
		return scalar{integer, n.GetToken().Value, n}, true
	case *ast.BoolNode:
		return scalar{boolean, strings.ToLower(n.GetToken().Value), n}, true
	case *ast.NullNode:
		return scalar{null, "", n}, true
	case *ast.FloatNode:
		return scalar{word, n.GetToken().Value, n}, true
	default:
		return scalar{}, false
	}
}

// clean takes out of an author's text what is no valid or no visible text.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r == unicode.ReplacementChar || !unicode.IsPrint(r):
			return -1
		}
		return r
	}, s)
}

func cut(s string, runes int) string {
	if r := []rune(s); len(r) > runes {
		return string(r[:runes]) + "…"
	}
	return s
}
