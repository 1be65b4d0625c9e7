package rules

import "github.com/goccy/go-yaml/ast"

// SeverityCase is a severity that a rule has where a condition surely holds on
// the first event of a finding.
type SeverityCase struct {
	When *Condition
	Is   Severity
}

// maxCases bounds the cases of a severity.
const maxCases = 8

// SeverityOn returns how bad it is that the rule met the loaded event.
func (r *Rule) SeverityOn(m *Machine) Severity {
	for i := range r.Cases {
		if holds, _ := m.Eval(r.Cases[i].When); holds == True {
			return r.Cases[i].Is
		}
	}
	return r.Severity
}

// severity reads a severity: a word, or cases of which the last has no condition.
func (d *decoder) severity(rule *Rule) func(string, ast.Node) {
	return func(field string, n ast.Node) {
		list, cases := n.(*ast.SequenceNode)
		if !cases {
			d.severityWord(&rule.Severity)(field, n)
			return
		}
		last := len(list.Values) - 1
		if last < 0 || last > maxCases {
			d.problem(n, field, "want 1 to %d cases", maxCases+1)
		}
		i := 0
		d.sequence(n, field, func(field string, n ast.Node) {
			var c SeverityCase
			d.mapping(n, field, fields{"when": d.condition(&c.When), "is": d.severityWord(&c.Is)})
			switch {
			case i == last:
				rule.Severity = c.Is
				if c.When != nil {
					d.problem(n, field, "the last case has no condition: it is what is left")
				}
			case c.When == nil:
				d.problem(n, field, "every case but the last needs a condition (when)")
			default:
				rule.Cases = append(rule.Cases, c)
			}
			if c.Is == "" {
				d.problem(n, field, "which severity? name it with is")
			}
			i++
		})
	}
}

func (d *decoder) severityWord(dst *Severity) func(string, ast.Node) {
	return func(field string, n ast.Node) {
		var word string
		d.text(&word)(field, n)
		if Severity(word).Rank() < 0 {
			d.problem(n, field, "want info, low, medium, high or critical")
			return
		}
		*dst = Severity(word)
	}
}
