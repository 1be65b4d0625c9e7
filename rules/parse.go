package rules

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/klaxon-dev/klaxon/rules/internal/yamlnode"
)

// MaxFileBytes is the largest rule file that is read.
const MaxFileBytes = 1 << 20

// Bounds on what a rule may hold.
const (
	maxTests      = 200
	maxTestEvents = 1000
	maxBy         = 8
	maxLines      = 20_000
	maxOpen       = 100 // brackets of one document
)

// Parse reads the rules of one file. What has an error is left out; the others
// are returned all the same.
func Parse(name string, src []byte, origin string) ([]*Rule, Problems) {
	f, problems := ParseFile(name, src, origin)
	return f.Rules, problems
}

// File is what one file holds.
type File struct {
	Rules   []*Rule
	Changes []*Change // of rules that may stand elsewhere
}

// ParseFile reads all documents of one file. What has an error is left out; the
// others are returned all the same.
func ParseFile(name string, src []byte, origin string) (File, Problems) {
	var found File
	var problems Problems
	d := decoder{file: name, lines: strings.Split(string(src), "\n"), problems: &problems}
	if len(src) > MaxFileBytes {
		d.at(1, 1, "", "", fmt.Sprintf("the file has %d bytes, at most %d are read: split it", len(src), MaxFileBytes))
		return found, problems
	}
	if line, message := tooMuch(d.lines); message != "" {
		d.at(line, 1, "", "", message)
		return found, problems
	}
	tree, err := parser.ParseBytes(src, 0)
	if err != nil {
		d.syntax(err)
		return found, problems
	}
	for _, doc := range tree.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.NullType || doc.Body.Type() == ast.CommentType {
			continue
		}
		d.begun, d.rule = len(problems), ""
		if alias := yamlnode.Alias(doc.Body); alias != nil {
			d.problem(alias, "", "anchors and aliases are not read in rule files: write the value out")
			continue
		}
		rule, change := d.document(doc.Body)
		switch {
		case len(problems[d.begun:].Errors()) > 0:
		case rule != nil:
			rule.Origin, rule.File, rule.Source = origin, name, d.source(rule.Line)
			found.Rules = append(found.Rules, rule)
		default:
			change.File, change.Source = name, d.source(change.Line)
			found.Changes = append(found.Changes, change)
		}
	}
	problems.sort()
	return found, problems
}

// tooMuch says why a file is not handed to the parser, and where: its time grows
// faster than the number of lines, of brackets that are open, and of lists that a
// line begins. "" if it is.
func tooMuch(lines []string) (line int, message string) {
	if len(lines) > maxLines {
		return maxLines, fmt.Sprintf("the file has %d lines, at most %d are read: split it", len(lines), maxLines)
	}
	open := 0
	for i, text := range lines {
		if strings.HasPrefix(text, "---") {
			open = 0
		}
		if yamlnode.Nested(text) > maxOpen {
			return i + 1, fmt.Sprintf("more than %d lists are begun here", maxOpen)
		}
		open += strings.Count(text, "[") + strings.Count(text, "{")
		open = max(0, open-strings.Count(text, "]")-strings.Count(text, "}"))
		if open > maxOpen {
			return i + 1, fmt.Sprintf("more than %d brackets are open here", maxOpen)
		}
	}
	return 0, ""
}

func (d *decoder) syntax(err error) {
	line, column, message := yamlnode.Syntax(err)
	d.at(line, column, "", d.textAt(line, column), "this is no YAML: "+cut(firstLine(message), maxShown))
}

// source returns the text of a document that begins at line.
func (d *decoder) source(line int) string {
	end := len(d.lines)
	for i := line; i < len(d.lines); i++ {
		if strings.HasPrefix(d.lines[i], "---") {
			end = i
			break
		}
	}
	return strings.TrimRight(strings.Join(d.lines[line-1:end], "\n"), "\n") + "\n"
}

// document reads a rule or a change, by its kind.
func (d *decoder) document(n ast.Node) (*Rule, *Change) {
	before := len(*d.problems)
	members := d.members(n, "")
	if len(*d.problems) > before {
		return nil, nil
	}
	kind := "rule"
	for _, v := range members {
		if v.Key.String() == "kind" {
			d.text(&kind)("kind", v.Value)
		}
	}
	switch kind {
	case "rule":
		return d.ruleDocument(n, members), nil
	case string(KindOverride), string(KindException):
		return nil, d.change(ChangeKind(kind), n)
	default:
		d.problem(n, "kind", "there are no documents of kind %q: want rule, override or exception", kind)
		return nil, nil
	}
}

func (d *decoder) ruleDocument(n ast.Node, members []*ast.MappingValueNode) *Rule {
	r := &Rule{Suppress: DefaultSuppress, Window: Window{Kind: Count, AtLeast: 1}, Mode: ModeLive}
	r.Line, _ = yamlnode.Position(n)
	id, title := "", ""
	given := map[string]bool{}
	by := defaultBy
	note := func(read func(string, ast.Node)) func(string, ast.Node) {
		return func(field string, n ast.Node) { given[field] = true; read(field, n) }
	}
	// The id first: every other mistake is reported with it.
	for _, v := range members {
		if v.Key.String() == "id" {
			d.text(&id)("id", v.Value)
			d.rule = RuleID(cut(id, maxShown))
		}
	}
	d.mapping(n, "", fields{
		"kind":            func(string, ast.Node) {},
		"id":              note(func(field string, n ast.Node) { d.id(field, n, id) }),
		"title":           note(func(field string, n ast.Node) { d.text(&title)(field, n); d.title(field, n, title, &r.Title) }),
		"description":     d.text(&r.Description),
		"severity":        note(d.severity(r)),
		"mode":            d.mode(&r.Mode),
		"tags":            d.texts(&r.Tags),
		"when":            note(d.condition(&r.When)),
		"window":          func(field string, n ast.Node) { d.window(field, n, &r.Window, &by) },
		"suppress":        func(field string, n ast.Node) { d.suppress(field, n, &r.Suppress) },
		"exceptions":      func(field string, n ast.Node) { d.exceptions(field, n, &r.Exceptions) },
		"runbook":         d.text(&r.Runbook),
		"false_positives": d.texts(&r.FalsePositives),
		"tests":           func(field string, n ast.Node) { d.tests(field, n, &r.Tests) },
	})
	for _, field := range []string{"id", "title", "severity", "when"} {
		if !given[field] && (field != "when" || r.Window.Kind != Sequence) {
			d.problem(n, field, "a rule needs %s", field)
		}
	}
	if r.Suppress == 0 && (r.Window.Kind != Count || r.Window.AtLeast > 1) {
		d.problem(n, "suppress", "0 makes each request a finding of its own: a window over many needs a length")
	}
	r.ID = RuleID(id)
	for _, name := range by {
		if f := lookup(name); f != nil {
			r.By = append(r.By, *f)
		}
	}
	r.makeParts()
	r.Version, r.Shape, r.Definition = version(r), shape(r), define(r)
	r.Written = r.Version
	return r
}

// maxID is how long the id of a rule may be.
const maxID = 80

var idPattern = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

func (d *decoder) id(field string, n ast.Node, id string) {
	if !idPattern.MatchString(id) || len(id) > maxID {
		d.problem(n, field, "want a name in kebab-case of at most %d characters, such as secret-sweep", maxID)
	}
}

func (d *decoder) title(field string, n ast.Node, text string, dst *Template) {
	t, err := parseTemplate(text)
	if err != nil {
		d.problem(n, field, "%v", err)
	}
	*dst = t
}

func (d *decoder) by(field string, n ast.Node, names []string) {
	if len(names) == 0 || len(names) > maxBy {
		d.problem(n, field, "want 1 to %d fields", maxBy)
	}
	seen := map[string]bool{}
	for _, name := range names {
		f := lookup(name)
		switch {
		case f == nil:
			d.problem(n, field, "there is no field %q; %s", name, suggest(name))
		case !f.scalar():
			d.problem(n, field, "%s is no single value of every event: findings cannot be grouped by it", name)
		case seen[name]:
			d.problem(n, field, "%s is given twice", name)
		}
		seen[name] = true
	}
}

func (d *decoder) suppress(field string, n ast.Node, dst *time.Duration) {
	d.duration(dst)(field, n)
	if *dst > MaxWithin {
		d.problem(n, field, "want at most %v", MaxWithin)
	}
	if *dst > 0 && *dst < time.Second {
		d.problem(n, field, "at least 1s, or 0 for a finding per request")
	}
}

func (d *decoder) exceptions(field string, n ast.Node, dst *[]Exception) {
	names := map[string]bool{}
	d.sequence(n, field, func(field string, n ast.Node) {
		var e Exception
		d.mapping(n, field, d.exception(&e))
		d.whole(n, field, &e)
		if names[e.Name] {
			d.problem(n, field, "two exceptions are named %q", e.Name)
		}
		names[e.Name] = true
		*dst = append(*dst, e)
	})
}

// exception returns how the members of an exception are read.
func (d *decoder) exception(e *Exception) fields {
	return fields{
		"name":    d.text(&e.Name),
		"when":    d.condition(&e.When),
		"owner":   d.text(&e.Owner),
		"ticket":  d.text(&e.Ticket),
		"expires": d.date(&e.Expires),
	}
}

func (d *decoder) whole(n ast.Node, field string, e *Exception) {
	if e.Name == "" || e.When == nil {
		d.problem(n, field, "an exception needs a name and a condition (when)")
	}
}
