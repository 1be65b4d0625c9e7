package ruletest

import (
	"testing"

	"github.com/klaxon-dev/klaxon/rules"
)

func TestBuiltinRules(t *testing.T) {
	set, problems := rules.Load(rules.Sources{})
	for _, p := range problems {
		t.Error(p.Error())
	}
	tests := 0
	for _, r := range set.Rules {
		for _, result := range Run(r) {
			tests++
			if !result.Passed {
				t.Errorf("%s:%d: rule %s: test %q: %s", result.File, result.Line, result.Rule, result.Test, result.Message)
			}
		}
	}
	t.Logf("%d rules, %d tests", len(set.Rules), tests)
	if len(set.Rules) < 25 {
		t.Errorf("%d builtin rules, want at least 25", len(set.Rules))
	}
}
