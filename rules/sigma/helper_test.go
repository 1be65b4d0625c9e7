package sigma

import (
	"fmt"
	"strings"
	"testing"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/rules"
)

// source wraps a detection section in a rule.
func ruleOf(detection string) string {
	return "title: t\nlevel: low\nlogsource: {product: kubernetes, service: audit}\ndetection:\n  " +
		strings.ReplaceAll(strings.TrimSpace(detection), "\n", "\n  ") + "\n"
}

// itemOf wraps one item in a rule.
func itemOf(item string) string { return ruleOf("s:\n  " + item + "\ncondition: s") }

// convertOne converts a file of one rule.
func convertOne(t *testing.T, src string) Rule {
	t.Helper()
	out := Convert([]File{{"x.yml", []byte(src)}}, nil)
	if len(out) != 1 {
		t.Fatalf("%d rules, want 1:\n%s", len(out), src)
	}
	return out[0]
}

// conditionOf returns the condition of a converted rule, or what is said of it.
func conditionOf(t *testing.T, src string) string {
	t.Helper()
	r := convertOne(t, src)
	if r.Outcome != Converted {
		return string(r.Outcome) + ": " + said(r)
	}
	return parsed(t, r).When.String()
}

// said returns the messages of a rule's problems.
func said(r Rule) string {
	var messages []string
	for _, p := range r.Problems {
		messages = append(messages, p.Message)
	}
	return strings.Join(messages, "; ")
}

func parsed(t *testing.T, r Rule) *rules.Rule {
	t.Helper()
	set, problems := rules.Parse("x.yaml", []byte(r.Document), rules.OriginUser)
	if len(set) != 1 || len(problems) > 0 {
		t.Fatalf("%d rules, problems: %s\n%s", len(set), problems.Error(), r.Document)
	}
	return set[0]
}

// holds evaluates a converted rule's condition on an event.
func holds(t *testing.T, r *rules.Rule, event string) rules.Truth {
	t.Helper()
	var e audit.Event
	raw := fmt.Sprintf(`{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","stage":"ResponseComplete",%s}`, event)
	if err := audit.Scan([]byte(raw), &e); err != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	var scope rules.Scope
	scope.Reset("test", audit.RequestID{}, &e)
	m := rules.NewMachine()
	m.Load(&scope)
	truth, err := m.Eval(r.When)
	if err != nil {
		t.Errorf("%s: %v", r.When, err)
	}
	return truth
}
