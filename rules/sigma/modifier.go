package sigma

import (
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// modifiers are what stands behind a field's name: field|contains|all.
type modifiers struct {
	match string // "", contains, startswith, endswith, re, cidr, exists, lt, lte, gt, gte
	flags string // of re
	all   bool   // every value must be met, not only one
	neq   bool
	cased bool
}

// unsupported are the modifiers that have no counterpart, and why.
var unsupported = map[string]string{
	"windash":      "it is about the command lines of Windows: no field of an audit event has any",
	"base64":       "no field of an audit event is such an encoding",
	"base64offset": "no field of an audit event is such an encoding",
	"utf16":        "no field of an audit event is such an encoding",
	"utf16le":      "no field of an audit event is such an encoding",
	"utf16be":      "no field of an audit event is such an encoding",
	"wide":         "no field of an audit event is such an encoding",
	"expand":       "placeholders are filled in by a pipeline that is not here: write the values out",
	"fieldref":     "two fields cannot be compared here: write the condition by hand",
	"minute":       "conditions do not read the time",
	"hour":         "conditions do not read the time",
	"day":          "conditions do not read the time",
	"week":         "conditions do not read the time",
	"month":        "conditions do not read the time",
	"year":         "conditions do not read the time",
}

// modifiers reads what stands behind a field's name.
func (s *source) modifiers(names []string, n ast.Node, field string) (modifiers, bool) {
	var m modifiers
	for _, name := range names {
		if why := m.add(name); why != "" {
			s.refuse(n, field, "modifier %q: %s", cut(name, 40), why)
			return m, false
		}
	}
	if m.cased && m.match == "re" {
		m.cased = false // a regular expression minds the case by itself
	}
	return m, true
}

// add adds a modifier, or says why it cannot.
func (m *modifiers) add(name string) string {
	switch name {
	case "all":
		m.all = true
	case "neq":
		m.neq = true
	case "cased":
		m.cased = true
	case "i", "m", "s":
		if m.match != "re" {
			return "it goes with re alone"
		}
		if !strings.Contains(m.flags, name) {
			m.flags += name
		}
	case "contains", "startswith", "endswith", "re", "cidr", "exists", "lt", "lte", "gt", "gte":
		if m.match != "" {
			return "it does not go with " + m.match
		}
		m.match = name
	default:
		if why := unsupported[name]; why != "" {
			return why
		}
		return "there is none of this name"
	}
	return ""
}
