// Package ruletest runs the tests that rules carry, through the very engine
// that scans and serves.
package ruletest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/rules"
)

// Result is the outcome of one test.
type Result struct {
	Rule    rules.RuleID `json:"rule"`
	Test    string       `json:"test"`
	File    string       `json:"file"`
	Line    int          `json:"line"`
	Passed  bool         `json:"passed"`
	Message string       `json:"message,omitempty"` // why it failed
}

// cluster is where the events of tests come from.
const cluster audit.ClusterID = "test"

// start is the event time of a test event "at" zero: the start of a bucket.
var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// Run runs all tests of one rule.
func Run(r *rules.Rule) []Result {
	results := make([]Result, len(r.Tests))
	for i := range r.Tests {
		t := &r.Tests[i]
		results[i] = Result{Rule: r.ID, Test: t.Name, File: r.File, Line: t.Line, Passed: true}
		if err := run(r, t); err != nil {
			results[i].Passed, results[i].Message = false, err.Error()
		}
	}
	return results
}

func run(r *rules.Rule, t *rules.Test) error {
	set := &rules.Set{Rules: []*rules.Rule{r}}
	matcher := detect.NewMatcher(set)
	windows := detect.NewSharded(set, detect.Limits{})
	var log detect.Memory
	var drafts []detect.Draft
	var notes string
	var last time.Time // of the events: no time passes after it
	for i, te := range t.Events {
		in, err := input(te, i)
		if err != nil {
			return err
		}
		if t := in.Event.StageTime; t.After(last) {
			last = t
		}
		for _, m := range matcher.Match(&in, nil) {
			drafts = windows.Add(&m, log.Append(&m), drafts)
		}
		for _, n := range matcher.Notes() {
			notes += fmt.Sprintf("; event %d: %s", i, n.Outcome)
			if n.Err != nil {
				notes += ": " + n.Err.Error()
			}
		}
	}
	found := map[detect.FindingID]detect.Finding{}
	for _, d := range windows.Finish(windows.Advance(last, drafts)) {
		f, err := d.Finding(log.Read)
		if err != nil {
			return err
		}
		found[f.ID] = f
	}
	if len(found) != t.Findings {
		return fmt.Errorf("%d findings, want %d%s", len(found), t.Findings, notes)
	}
	return expected(t.Expect, slices.SortedFunc(maps.Values(found), func(a, b detect.Finding) int { return slices.Compare(a.ID[:], b.ID[:]) }))
}

// Inputs returns the events of all tests of a rule.
func Inputs(r *rules.Rule) ([]detect.Input, error) {
	var inputs []detect.Input
	for _, t := range r.Tests {
		for i, te := range t.Events {
			in, err := input(te, i)
			if err != nil {
				return nil, err
			}
			inputs = append(inputs, in)
		}
	}
	return inputs, nil
}

func input(te rules.TestEvent, index int) (detect.Input, error) {
	item, err := complete(te, index)
	if err != nil {
		return detect.Input{}, fmt.Errorf("event %d: %w", index, err)
	}
	var event audit.Event
	if err := audit.Scan(item, &event); err != nil {
		return detect.Input{}, fmt.Errorf("event %d is no audit event: %w", index, err)
	}
	return detect.Input{Cluster: cluster, Event: &event}, nil
}

// complete gives an event of a test what every event has.
func complete(te rules.TestEvent, index int) ([]byte, error) {
	var given map[string]json.RawMessage
	if err := json.Unmarshal(te.JSON, &given); err != nil {
		return nil, err
	}
	at := start.Add(te.At).Format("2006-01-02T15:04:05.000000Z")
	level := audit.LevelMetadata
	if given["requestObject"] != nil {
		level = audit.LevelRequest
	}
	if given["responseObject"] != nil {
		level = audit.LevelRequestResponse
	}
	for name, value := range map[string]any{
		"kind":                     "Event",
		"apiVersion":               "audit.k8s.io/v1",
		"level":                    level,
		"auditID":                  fmt.Sprintf("test-%d", index),
		"stage":                    audit.StageResponseComplete,
		"requestURI":               "/",
		"verb":                     "get",
		"user":                     map[string]any{"username": "jane", "groups": []string{"system:authenticated"}},
		"sourceIPs":                []string{"192.0.2.1"},
		"responseStatus":           map[string]any{"code": 200},
		"requestReceivedTimestamp": at,
		"stageTimestamp":           at,
	} {
		if _, ok := given[name]; ok {
			continue
		}
		raw, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		given[name] = raw
	}
	return json.Marshal(given)
}
