package ruletest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/rules"
)

// expected checks that each expectation is met by a finding of its own.
func expected(want []rules.Expected, found []detect.Finding) error {
	p := pairing{want: want, found: found, of: make([]int, len(found))}
	for i := range p.of {
		p.of[i] = -1
	}
	for i := range want {
		if !p.pair(i, make([]bool, len(found))) {
			return fmt.Errorf("no finding of its own for %q: there are %s", want[i], describe(found))
		}
	}
	return nil
}

// pairing gives each expectation a finding.
type pairing struct {
	want  []rules.Expected
	found []detect.Finding
	of    []int // by finding, the expectation that it meets; -1: none
}

// pair finds a finding for an expectation, and another for the one that had it.
func (p *pairing) pair(want int, tried []bool) bool {
	for i := range p.found {
		if tried[i] || !meets(&p.found[i], p.want[want]) {
			continue
		}
		tried[i] = true
		if p.of[i] < 0 || p.pair(p.of[i], tried) {
			p.of[i] = want
			return true
		}
	}
	return false
}

func meets(f *detect.Finding, e rules.Expected) bool {
	for name, value := range e.Key {
		if !slices.Contains(f.Key, detect.KeyField{Name: name, Value: value}) {
			return false
		}
	}
	return (e.Count == nil || f.Count == int64(*e.Count)) &&
		(e.Distinct == nil || f.Distinct == int64(*e.Distinct)) &&
		(e.Severity == "" || f.Severity == string(e.Severity))
}

func describe(found []detect.Finding) string {
	if len(found) == 0 {
		return "none"
	}
	texts := make([]string, len(found))
	for i, f := range found {
		texts[i] = fmt.Sprintf("(count %d, distinct %d, severity %s, %s)", f.Count, f.Distinct, f.Severity, f.Key)
	}
	return strings.Join(texts, ", ")
}
