package rules

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"github.com/klaxon-dev/klaxon/rules/internal/yamlnode"
)

// decoder reads one document's nodes and notes every mistake with its place.
type decoder struct {
	file     string
	lines    []string // of the file
	rule     RuleID
	problems *Problems
	begun    int // the number of problems where the document at hand begins
}

// Bounds on what is read of one document.
const (
	maxProblems = 100 // the first are told
	maxElements = 1_000
)

func (d *decoder) problem(n ast.Node, field, format string, args ...any) {
	if len(*d.problems)-d.begun > maxProblems {
		return
	}
	line, column := yamlnode.Position(n)
	d.at(line, column, field, d.textAt(line, column), fmt.Sprintf(format, args...))
}

func (d *decoder) at(line, column int, field, text, message string) {
	*d.problems = append(*d.problems, Problem{
		File: d.file, Line: line, Column: column, Rule: d.rule, Field: field, Text: text, Message: message,
	})
}

// textAt returns what stands at a place, as much as is shown of it.
func (d *decoder) textAt(line, column int) string {
	if line < 1 || line > len(d.lines) {
		return ""
	}
	text := d.lines[line-1]
	for range column - 1 {
		_, size := utf8.DecodeRuneInString(text)
		text = text[size:]
	}
	return cut(strings.TrimSpace(text), maxShown)
}

// fields is how the members of a mapping are read.
type fields map[string]func(field string, n ast.Node)

// mapping reads the members of n by want. Unknown and repeated keys are mistakes.
func (d *decoder) mapping(n ast.Node, field string, want fields) {
	seen := map[string]bool{}
	for _, v := range d.members(n, field) {
		key := v.Key.String()
		read, known := want[key]
		name := join(field, key)
		switch {
		case !known:
			d.problem(v.Key, name, "unknown key %q; %s", key, nearest(key, want))
		case seen[key]:
			d.problem(v.Key, name, "key %q is given twice", key)
		default:
			read(name, v.Value)
		}
		seen[key] = true
	}
}

func (d *decoder) members(n ast.Node, field string) []*ast.MappingValueNode {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}
	default:
		d.problem(n, field, "want a mapping of keys to values")
		return nil
	}
}

func (d *decoder) sequence(n ast.Node, field string, read func(field string, n ast.Node)) {
	s, ok := n.(*ast.SequenceNode)
	if !ok {
		d.problem(n, field, "want a list")
		return
	}
	if len(s.Values) > maxElements {
		d.problem(n, field, "the list has %d elements, at most %d are read", len(s.Values), maxElements)
		return
	}
	for i, v := range s.Values {
		read(fmt.Sprintf("%s[%d]", field, i), v)
	}
}

func (d *decoder) text(dst *string) func(string, ast.Node) {
	return func(field string, n ast.Node) {
		switch n := n.(type) {
		case *ast.StringNode:
			*dst = n.Value
		case *ast.LiteralNode:
			*dst = strings.TrimRight(n.Value.Value, "\n")
		case ast.ScalarNode:
			d.problem(n, field, "want a string: put it in quotes")
		default:
			d.problem(n, field, "want a string")
		}
	}
}

func (d *decoder) texts(dst *[]string) func(string, ast.Node) {
	return func(field string, n ast.Node) {
		d.sequence(n, field, func(field string, n ast.Node) {
			var s string
			d.text(&s)(field, n)
			*dst = append(*dst, s)
		})
	}
}

func (d *decoder) duration(dst *time.Duration) func(string, ast.Node) {
	return func(field string, n ast.Node) {
		text := n.String()
		if i, ok := n.(*ast.IntegerNode); ok && i.String() == "0" {
			*dst = 0
			return
		}
		v, err := time.ParseDuration(strings.Trim(text, `"'`))
		switch {
		case err != nil:
			d.problem(n, field, "want a duration such as 90s, 10m or 1h")
		case v < 0:
			d.problem(n, field, "a duration cannot be negative")
		default:
			*dst = v
		}
	}
}

func (d *decoder) integer(dst *int) func(string, ast.Node) {
	return func(field string, n ast.Node) {
		i, ok := n.(*ast.IntegerNode)
		if !ok {
			d.problem(n, field, "want a whole number")
			return
		}
		switch v := i.Value.(type) {
		case uint64:
			*dst = int(min(v, 1<<31))
		case int64:
			*dst = int(max(v, -1<<31))
		}
	}
}

func (d *decoder) boolean(dst *bool) func(string, ast.Node) {
	return func(field string, n ast.Node) {
		b, ok := n.(*ast.BoolNode)
		if !ok {
			d.problem(n, field, "want true or false")
			return
		}
		*dst = b.Value
	}
}

func (d *decoder) date(dst *time.Time) func(string, ast.Node) {
	return func(field string, n ast.Node) {
		text := strings.Trim(n.String(), `"'`)
		for _, layout := range []string{time.DateOnly, time.RFC3339} {
			if t, err := time.Parse(layout, text); err == nil {
				*dst = t.UTC()
				return
			}
		}
		d.problem(n, field, "want a date such as 2027-06-30, or a time as 2027-06-30T12:00:00Z")
	}
}

// condition reads an expression and reports its mistakes at their place in the file.
func (d *decoder) condition(dst **Condition) func(string, ast.Node) {
	return func(field string, n ast.Node) {
		var text string
		before := len(*d.problems)
		if d.text(&text)(field, n); len(*d.problems) > before {
			return
		}
		if strings.TrimSpace(text) == "" {
			d.problem(n, field, "the condition is empty")
			return
		}
		c, err := compileCondition(text)
		if err != nil {
			d.conditionProblems(n, field, text, err)
			return
		}
		c.place = func(offset int) (line, column int) {
			return d.inFile(n, text, lineOf(text, offset), columnOf(text, offset))
		}
		*dst = c
	}
}

// conditionProblems reports all mistakes of a condition.
func (d *decoder) conditionProblems(n ast.Node, field, text string, err error) {
	joined, several := err.(interface{ Unwrap() []error })
	if !several {
		d.conditionProblem(n, field, text, err)
		return
	}
	for _, one := range joined.Unwrap() {
		d.conditionProblems(n, field, text, one)
	}
}

func (d *decoder) conditionProblem(n ast.Node, field, text string, err error) {
	var line, column int
	var shown string
	var found *conditionError
	var refused *guardError
	switch {
	case errors.As(err, &found):
		line, column, shown = found.Line, found.Column, found.Snippet
	case errors.As(err, &refused):
		from := refused.node.Location().From
		line, column = lineOf(text, from), columnOf(text, from)
		shown = snippet(text, line, column)
	default:
		line = 1
	}
	fileLine, fileColumn := d.inFile(n, text, line, column)
	message := err.Error()
	if d.cutByComment(n) {
		message += "; YAML took what follows # for a comment: write the condition in quotes, or below \"when: >-\""
	}
	d.at(fileLine, fileColumn, field, shown, message)
}

// cutByComment reports whether a comment begins behind a scalar without quotes.
func (d *decoder) cutByComment(n ast.Node) bool {
	s, ok := n.(*ast.StringNode)
	if !ok || s.Token.Type != token.StringType {
		return false
	}
	line, _ := yamlnode.Position(n)
	return line <= len(d.lines) && strings.Contains(d.lines[line-1], " #")
}

// inFile maps a place in a scalar's text to its place in the file.
func (d *decoder) inFile(n ast.Node, text string, line, column int) (int, int) {
	startLine, startColumn := yamlnode.Position(n)
	literal, block := n.(*ast.LiteralNode)
	if !block {
		if s, ok := n.(*ast.StringNode); ok && s.Token.Type != token.StringType {
			startColumn++ // the quote
		}
		return startLine, startColumn + column
	}
	// Every line of a block scalar is a line of the file; a folded one has
	// spaces where the file has line breaks.
	offset := column
	for i, l := range strings.Split(text, "\n") {
		if i+1 < line {
			offset += len([]rune(l)) + 1
		}
	}
	for i := literal.Start.Position.Line; i < len(d.lines); i++ {
		content := strings.TrimLeft(d.lines[i], " ")
		indent := len(d.lines[i]) - len(content)
		if length := len([]rune(content)); offset <= length {
			return i + 1, indent + offset + 1
		} else {
			offset -= length + 1
		}
	}
	return startLine, startColumn
}

// value decodes a node into plain Go values.
func (d *decoder) value(n ast.Node, field string) any {
	var v any
	if err := yaml.NodeToValue(n, &v, yaml.UseOrderedMap()); err != nil {
		d.problem(n, field, "%s", firstLine(err.Error()))
	}
	return v
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

func join(field, key string) string {
	if field == "" {
		return key
	}
	return field + "." + key
}

func nearest(key string, want fields) string {
	var names []string
	for name := range want {
		if strings.EqualFold(strings.ReplaceAll(name, "_", ""), strings.NewReplacer("_", "", "-", "").Replace(key)) {
			return fmt.Sprintf("did you mean %q?", name)
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return "known are " + strings.Join(names, ", ")
}
