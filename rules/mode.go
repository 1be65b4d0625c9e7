package rules

import "github.com/goccy/go-yaml/ast"

// Mode says what becomes of a rule's findings.
type Mode string

// The modes.
const (
	ModeLive   Mode = "live"   // they are stored and routed
	ModeShadow Mode = "shadow" // they are stored and marked, and never routed
)

func (d *decoder) mode(dst *Mode) func(string, ast.Node) {
	return func(field string, n ast.Node) {
		var word string
		d.text(&word)(field, n)
		if m := Mode(word); m != ModeLive && m != ModeShadow {
			d.problem(n, field, "want live, or shadow for findings that are stored and never routed")
			return
		}
		*dst = Mode(word)
	}
}
