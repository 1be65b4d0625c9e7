package rules

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/klaxon-dev/klaxon/rules/internal/yamlnode"
)

// ChangeKind says how a document changes rules that other files hold.
type ChangeKind string

// The kinds of changes.
const (
	KindOverride  ChangeKind = "override"
	KindException ChangeKind = "exception"
)

// Change is a document that changes rules from outside: builtin rules are never
// copied. It does not change and is safe for concurrent use.
type Change struct {
	Kind        ChangeKind
	Rules       []RuleID
	Tags        []string // of exceptions: all rules with one of them
	RuleVersion string   // of the one rule, as it was when the change was written; "": not said
	File        string
	Line        int
	Source      string // the document's text

	exception Exception
	override  override
	places    map[string]place // of the document's fields
}

// override is what a document sets; nil is not set.
type override struct {
	enabled  *bool
	severity *Severity
	mode     *Mode
	suppress *time.Duration
	atLeast  *int
	within   *time.Duration
	learn    *time.Duration
}

type place struct {
	line, column int
	text         string
}

// Origin says where the change stands: file:line.
func (c *Change) Origin() string { return fmt.Sprintf("%s:%d", c.File, c.Line) }

// names reports whether the change is about a rule.
func (c *Change) names(r *Rule) bool {
	return slices.Contains(c.Rules, r.ID) ||
		slices.ContainsFunc(r.Tags, func(tag string) bool { return slices.Contains(c.Tags, tag) })
}

// problem is one of the change at a field of its document.
func (c *Change) problem(field, format string, args ...any) Problem {
	at, known := c.places[field]
	if !known {
		at = place{line: c.Line, column: 1}
	}
	return Problem{File: c.File, Line: at.line, Column: at.column, Field: field, Text: at.text, Message: fmt.Sprintf(format, args...)}
}

// change reads a document of kind override or exception.
func (d *decoder) change(kind ChangeKind, n ast.Node) *Change {
	c := &Change{Kind: kind, places: map[string]place{}}
	c.Line, _ = yamlnode.Position(n)
	c.exception.change = c
	want := fields{
		"kind":         func(string, ast.Node) {},
		"rules":        d.ruleIDs(&c.Rules),
		"rule_version": d.text(&c.RuleVersion),
	}
	if kind == KindOverride {
		c.overriding(d, want)
	} else {
		want["tags"] = d.texts(&c.Tags)
		for name, read := range d.exception(&c.exception) {
			want[name] = read
		}
	}
	c.placed(d, want, "")
	d.mapping(n, "", want)
	if len(c.Rules)+len(c.Tags) == 0 {
		d.problem(n, "rules", "which rules? list their ids")
	}
	if at, given := c.places["rule_version"]; given && (len(c.Rules) != 1 || len(c.Tags) > 0) {
		d.at(at.line, at.column, "rule_version", at.text, "it is the version of one rule: name that one alone in rules")
	}
	switch kind {
	case KindOverride:
		if c.override == (override{}) {
			d.problem(n, "", "it changes nothing: give enabled, severity, mode, suppress or window")
		}
	case KindException:
		d.whole(n, "", &c.exception)
	}
	return c
}

// placed makes the readers note where each field stands.
func (c *Change) placed(d *decoder, want fields, under string) {
	for name, read := range want {
		want[name] = func(field string, n ast.Node) {
			line, column := yamlnode.Position(n)
			c.places[join(under, name)] = place{line, column, d.textAt(line, column)}
			read(field, n)
		}
	}
}

func (d *decoder) ruleIDs(dst *[]RuleID) func(string, ast.Node) {
	return func(field string, n ast.Node) {
		var names []string
		d.texts(&names)(field, n)
		for _, name := range names {
			*dst = append(*dst, RuleID(name))
		}
	}
}

// overriding adds to want how the members of an override are read.
func (c *Change) overriding(d *decoder, want fields) {
	o := &c.override
	want["enabled"] = set(&o.enabled, d.boolean)
	want["severity"] = set(&o.severity, d.severityWord)
	want["mode"] = set(&o.mode, d.mode)
	want["suppress"] = set(&o.suppress, func(dst *time.Duration) func(string, ast.Node) {
		return func(field string, n ast.Node) { d.suppress(field, n, dst) }
	})
	numbers := fields{
		"at_least": set(&o.atLeast, d.integer),
		"within":   set(&o.within, d.duration),
		"learn":    set(&o.learn, d.duration),
	}
	c.placed(d, numbers, "window")
	want["window"] = func(field string, n ast.Node) { d.mapping(n, field, numbers) }
}

// set reads a value and notes that it was given.
func set[T any](dst **T, read func(*T) func(string, ast.Node)) func(string, ast.Node) {
	return func(field string, n ast.Node) {
		*dst = new(T)
		read(*dst)(field, n)
	}
}

// apply changes a copy of a rule; what the rule does not allow is left out and
// returned.
func (c *Change) apply(r *Rule) Problems {
	if c.Kind == KindException {
		return c.except(r)
	}
	var problems Problems
	for _, field := range c.override.fields() {
		if first := r.set[field]; first != nil {
			problems = append(problems, c.problem(field, "%s sets it for %s already: it stays", first.Origin(), r.ID))
			continue
		}
		if message := c.override.applyTo(r, field); message != "" {
			problems = append(problems, c.problem(field, "rule %s: %s", r.ID, message))
			continue
		}
		r.set[field] = c
	}
	return problems
}

// fields lists what an override sets, in a fixed order.
func (o *override) fields() []string {
	var set []string
	for _, f := range []struct {
		name  string
		given bool
	}{
		{"enabled", o.enabled != nil}, {"severity", o.severity != nil}, {"mode", o.mode != nil}, {"suppress", o.suppress != nil},
		{"window.at_least", o.atLeast != nil}, {"window.within", o.within != nil}, {"window.learn", o.learn != nil},
	} {
		if f.given {
			set = append(set, f.name)
		}
	}
	return set
}

// applyTo sets one field of a rule, or says why the rule does not allow it.
func (o *override) applyTo(r *Rule, field string) string {
	w := &r.Window
	switch field {
	case "enabled":
		r.Disabled = !*o.enabled
	case "severity":
		r.Severity, r.Cases = *o.severity, nil
	case "mode":
		r.Mode = *o.mode
	case "suppress":
		if (*o.suppress == 0) != (r.Suppress == 0) {
			return "suppress: 0 makes another kind of finding: it cannot be changed from outside"
		}
		r.Suppress = *o.suppress
	case "window.at_least":
		switch {
		case w.Kind != Count && w.Kind != Distinct, w.AtLeast <= 1:
			return fmt.Sprintf("its window (%s) counts to no number", w.Kind)
		case *o.atLeast < 2 || *o.atLeast > MaxAtLeast:
			return fmt.Sprintf("want 2 to %d", MaxAtLeast)
		}
		w.AtLeast = *o.atLeast
	case "window.within":
		switch {
		case w.Within == 0:
			return fmt.Sprintf("its window (%s) has no within", w.Kind)
		case *o.within < minWithin || *o.within > MaxWithin:
			return fmt.Sprintf("want %v to %s", minWithin, shortDuration(MaxWithin))
		}
		w.Within = *o.within
	case "window.learn":
		switch {
		case w.Kind != FirstSeen:
			return fmt.Sprintf("its window (%s) learns nothing", w.Kind)
		case *o.learn < minLearn || *o.learn > MaxWithin:
			return fmt.Sprintf("want 1h to %s", shortDuration(MaxWithin))
		}
		w.Learn = *o.learn
	}
	return ""
}

// except adds an exception to a rule.
func (c *Change) except(r *Rule) Problems {
	if slices.ContainsFunc(r.Exceptions, func(e Exception) bool { return e.Name == c.exception.Name }) {
		return Problems{c.problem("name", "rule %s has an exception %q already", r.ID, c.exception.Name)}
	}
	r.Exceptions = append(slices.Clip(r.Exceptions), c.exception)
	return nil
}

// Apply makes the changes to rules. A change that is wrong for one rule is still
// made to the others; every rule that is changed is a copy.
func Apply(all []*Rule, changes []*Change) ([]*Rule, Problems) {
	var problems Problems
	changed := make([]*Rule, len(all))
	known := map[RuleID]*Rule{}
	for i, r := range all {
		changed[i] = r
		if known[r.ID] == nil {
			known[r.ID] = r
		}
		for _, c := range changes {
			if !c.names(r) {
				continue
			}
			if changed[i] == r {
				changed[i] = r.copied()
			}
			problems = append(problems, c.apply(changed[i])...)
			changed[i].Changes = append(changed[i].Changes, c)
		}
		if changed[i] != r {
			changed[i].Version = version(changed[i])
			changed[i].Shape = shape(changed[i])
			changed[i].Definition = define(changed[i])
		}
	}
	for _, c := range changes {
		problems = append(problems, c.lint(all, known)...)
	}
	return changed, problems
}

// copied returns a copy that may be changed.
func (r *Rule) copied() *Rule {
	c := *r
	c.set, c.written = map[string]*Change{}, r
	return &c
}

// AsWritten returns the rule as its own file has it, without what changes it from
// outside.
func (r *Rule) AsWritten() *Rule {
	if r.written != nil {
		return r.written
	}
	return r
}

// lint checks a change against the rules that it names.
func (c *Change) lint(all []*Rule, known map[RuleID]*Rule) Problems {
	var problems Problems
	var named []*Rule
	for _, id := range c.Rules {
		if known[id] == nil {
			problems = append(problems, c.problem("rules", "there is no rule %q%s: 'klaxon rules list' lists them", id, similar(string(id), known)))
		}
	}
	for _, tag := range c.Tags {
		if !slices.ContainsFunc(all, func(r *Rule) bool { return slices.Contains(r.Tags, tag) }) {
			problems = append(problems, c.problem("tags", "no rule has the tag %q", tag))
		}
	}
	for _, r := range all {
		if c.names(r) {
			named = append(named, r)
		}
	}
	if c.RuleVersion != "" && len(named) == 1 && c.RuleVersion != named[0].Version {
		p := c.problem("rule_version", "rule %s has changed since this was written: it is now %s; see 'klaxon rules show %s', and write that version here if this still fits",
			named[0].ID, named[0].Version, named[0].ID)
		p.Warning, p.Aged = true, true
		problems = append(problems, p)
	}
	if c.Kind == KindException && c.exception.When != nil {
		problems = append(problems, c.lintException(named)...)
	}
	return problems
}

// lintException looks for what never holds where the rules do.
func (c *Change) lintException(named []*Rule) Problems {
	var problems Problems
	for _, p := range lintException(&c.exception) {
		p.File, p.Field = c.File, "when"
		problems = append(problems, p)
	}
	var never Problems
	for _, r := range named {
		if why := excludes(r, c.exception.When); why != "" {
			never = append(never, c.problem("when", "it can never hold where rule %s does: %s", r.ID, why))
		}
	}
	if len(c.Tags) == 0 || len(never) == len(named) { // of rules with a tag one is enough
		problems = append(problems, never...)
	}
	return problems
}

// excludes says why a condition can hold on no event that a rule matches, as far
// as what both require of a field tells; "" if it may.
func excludes(r *Rule, c *Condition) string {
	why := ""
	for _, part := range r.Parts {
		found := ""
		for _, of := range part.When {
			for _, a := range of.needs {
				if slices.ContainsFunc(c.needs, a.excludes) {
					found = fmt.Sprintf("there %s %s", a.field.Name, a)
				}
			}
		}
		if found == "" {
			return ""
		}
		why = found
	}
	return why
}

// similar names a rule whose id has the words of another.
func similar(id string, known map[RuleID]*Rule) string {
	var best string
	for k := range known {
		if name := string(k); strings.Contains(name, id) || strings.Contains(id, name) {
			if best == "" || name < best {
				best = name
			}
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", best)
}

// Expired warns of the exceptions that have expired at a time.
func (s *Set) Expired(now time.Time) Problems {
	var problems Problems
	seen := map[*Change]bool{}
	for _, r := range s.Rules {
		for i := range r.Exceptions {
			e := &r.Exceptions[i]
			if e.Expires.IsZero() || now.Before(e.Expires) || e.change != nil && seen[e.change] {
				continue
			}
			message := fmt.Sprintf("exception %q has expired on %s: take it out, or give it another date", e.Name, e.Expires.Format(time.DateOnly))
			p := Problem{File: r.File, Line: r.Line, Column: 1, Rule: r.ID, Field: "exceptions", Message: message}
			if e.When.place != nil {
				p.Line, p.Column = e.When.place(0)
			}
			if e.change != nil {
				seen[e.change] = true
				p = e.change.problem("expires", "%s", message)
			}
			p.Warning, p.Aged = true, true
			problems = append(problems, p)
		}
	}
	return problems
}
