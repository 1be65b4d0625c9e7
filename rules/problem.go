package rules

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one mistake in a rule file.
type Problem struct {
	File    string `json:"file"`
	Line    int    `json:"line"`   // from 1
	Column  int    `json:"column"` // from 1
	Rule    RuleID `json:"rule,omitempty"`
	Field   string `json:"field,omitempty"` // as "when" or "tests[0].events"
	Text    string `json:"text,omitempty"`  // the offending text
	Message string `json:"message"`         // what is wrong, and what to do
	Warning bool   `json:"warning,omitempty"`
	// Aged marks warnings of what was right once: an exception that has expired, a
	// change of a rule that is another now. They are said whenever rules are loaded.
	Aged bool `json:"aged,omitempty"`
}

func (p Problem) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d:%d: ", p.File, p.Line, p.Column)
	if p.Warning {
		b.WriteString("warning: ")
	}
	if p.Rule != "" {
		fmt.Fprintf(&b, "rule %s: ", p.Rule)
	}
	if p.Field != "" {
		fmt.Fprintf(&b, "%s: ", p.Field)
	}
	b.WriteString(p.Message)
	if p.Text != "" {
		fmt.Fprintf(&b, " (at %q)", cut(p.Text, maxShown))
	}
	return b.String()
}

// Problems are all mistakes of the files that were read, in order of place.
type Problems []Problem

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Errors returns the problems that are no warnings.
func (ps Problems) Errors() Problems {
	return slices.DeleteFunc(slices.Clone(ps), func(p Problem) bool { return p.Warning })
}

// Aged returns the warnings of what was right once.
func (ps Problems) Aged() Problems {
	return slices.DeleteFunc(slices.Clone(ps), func(p Problem) bool { return !p.Aged })
}

func (ps Problems) sort() {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// maxShown is how many characters of an offending text are shown.
const maxShown = 80

func cut(s string, runes int) string {
	for i := range s {
		if runes == 0 {
			return s[:i] + "…"
		}
		runes--
	}
	return s
}
