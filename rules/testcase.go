package rules

import (
	"encoding/json"
	"fmt"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/klaxon-dev/klaxon/rules/internal/yamlnode"
)

func (d *decoder) tests(field string, n ast.Node, dst *[]Test) {
	d.sequence(n, field, func(field string, n ast.Node) {
		t := Test{Findings: -1}
		t.Line, _ = yamlnode.Position(n)
		d.mapping(n, field, fields{
			"name":     d.text(&t.Name),
			"findings": d.integer(&t.Findings),
			"expect": func(field string, n ast.Node) {
				d.sequence(n, field, func(field string, n ast.Node) { t.Expect = append(t.Expect, d.expected(field, n)) })
			},
			"events": func(field string, n ast.Node) {
				d.sequence(n, field, func(field string, n ast.Node) { t.Events = append(t.Events, d.testEvent(field, n)) })
			},
		})
		if t.Findings < 0 && len(t.Expect) > 0 {
			t.Findings = len(t.Expect)
		}
		if t.Name == "" || t.Findings < 0 || len(t.Events) == 0 {
			d.problem(n, field, "a test needs a name, events, and how many findings they make")
		}
		if len(t.Events) > maxTestEvents {
			d.problem(n, field, "a test has at most %d events", maxTestEvents)
		}
		*dst = append(*dst, t)
	})
	if len(*dst) > maxTests {
		d.problem(n, field, "a rule has at most %d tests", maxTests)
	}
}

// expected reads what a finding of a test holds.
func (d *decoder) expected(field string, n ast.Node) Expected {
	var e Expected
	d.mapping(n, field, fields{
		"count":    set(&e.Count, d.integer),
		"distinct": set(&e.Distinct, d.integer),
		"severity": d.severityWord(&e.Severity),
		"key": func(field string, n ast.Node) {
			e.Key = map[string]string{}
			for _, v := range d.members(n, field) {
				e.Key[v.Key.String()] = fmt.Sprint(d.value(v.Value, join(field, v.Key.String())))
			}
		},
	})
	if e.Count == nil && e.Distinct == nil && e.Severity == "" && len(e.Key) == 0 {
		d.problem(n, field, "what is expected? give count, distinct, severity or key")
	}
	return e
}

// testEvent reads the fields of an event that matter to a test. "at" is the
// time after the test's start.
func (d *decoder) testEvent(field string, n ast.Node) TestEvent {
	var e TestEvent
	var members yaml.MapSlice
	for _, v := range d.members(n, field) {
		if key := v.Key.String(); key == "at" {
			d.duration(&e.At)(join(field, key), v.Value)
		} else {
			members = append(members, yaml.MapItem{Key: key, Value: d.value(v.Value, join(field, key))})
		}
	}
	raw, err := json.Marshal(orderedJSON(members))
	if err != nil {
		d.problem(n, field, "%v", err)
	}
	e.JSON = raw
	return e
}

// orderedJSON makes a YAML value one that encoding/json writes in its order.
func orderedJSON(v any) any {
	switch v := v.(type) {
	case yaml.MapSlice:
		out := make(orderedMap, len(v))
		for i, item := range v {
			out[i] = yaml.MapItem{Key: fmt.Sprint(item.Key), Value: orderedJSON(item.Value)}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = orderedJSON(v[i])
		}
		return out
	default:
		return v
	}
}

type orderedMap []yaml.MapItem

func (m orderedMap) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for i, item := range m {
		if i > 0 {
			out = append(out, ',')
		}
		key, err := json.Marshal(item.Key)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(item.Value)
		if err != nil {
			return nil, err
		}
		out = append(append(append(out, key...), ':'), value...)
	}
	return append(out, '}'), nil
}
