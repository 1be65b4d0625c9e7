package ruletest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/internal/scan"
	"github.com/klaxon-dev/klaxon/rules"
)

// page is where users read what rules mean.
const page = "../../docs/rules.md"

// example is a rule of the page with events and what is found in them.
type example struct {
	rule     *rules.Rule
	events   []rules.TestEvent
	findings []pageFinding
}

// pageFinding is a finding as the page tells it.
type pageFinding struct {
	Bucket   string   `yaml:"bucket"`
	Count    int64    `yaml:"count"`
	Distinct int64    `yaml:"distinct"`
	Events   []string `yaml:"events"` // their times
}

var blockOf = regexp.MustCompile("(?ms)^```yaml (rule|events|findings)\n(.*?)^```$")

// examples reads the page: blocks come as rule, events, findings; a rule that is
// not repeated is the one before.
func examples(t *testing.T) []example {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var all []example
	var rule, events string
	for _, block := range blockOf.FindAllStringSubmatch(string(text), -1) {
		switch block[1] {
		case "rule":
			rule = block[2]
		case "events":
			events = block[2]
		case "findings":
			all = append(all, parseExample(t, rule, events, block[2]))
		}
	}
	return all
}

func parseExample(t *testing.T, rule, events, findings string) example {
	t.Helper()
	text := rule + "tests:\n- name: example\n  findings: 0\n  events:\n  " + strings.ReplaceAll(strings.TrimSpace(events), "\n", "\n  ") + "\n"
	parsed, problems := rules.Parse(page, []byte(text), rules.OriginUser)
	if len(problems) > 0 || len(parsed) != 1 {
		t.Fatalf("%s\n%v", text, problems)
	}
	e := example{rule: parsed[0], events: parsed[0].Tests[0].Events}
	if err := yaml.UnmarshalWithOptions([]byte(findings), &e.findings, yaml.DisallowUnknownField()); err != nil {
		t.Fatalf("%s\n%v", findings, err)
	}
	return e
}

// items are the events as lines of a log.
func (e *example) items(t *testing.T) [][]byte {
	t.Helper()
	var items [][]byte
	for i, event := range e.events {
		item, err := complete(event, i)
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, item)
	}
	return items
}

// scanned are the findings of the example as a file.
func (e *example) scanned(t *testing.T) []pageFinding {
	t.Helper()
	redactor, err := audit.NewRedactor(make([]byte, audit.MinKeyBytes))
	if err != nil {
		t.Fatal(err)
	}
	reducer, err := audit.NewReducer(redactor, audit.DefaultEventBytes)
	if err != nil {
		t.Fatal(err)
	}
	s := scan.New(scan.Config{
		Rules: &rules.Set{Rules: []*rules.Rule{e.rule}}, Cluster: cluster, Reducer: reducer,
		Unread:  func(_ string, err error) { t.Error(err) },
		Skipped: func(s scan.Skip) { t.Error(s.Err) },
	})
	log := bytes.Join(e.items(t), []byte("\n"))
	file := scan.File{Name: "audit.log", Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(log)), nil }}
	if err := s.Files(context.Background(), []scan.File{file}); err != nil {
		t.Fatal(err)
	}
	found, _, err := s.Finish()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = found.Close() }()
	var findings []detect.Finding
	for f, err := range found.All() {
		if err != nil {
			t.Fatal(err)
		}
		findings = append(findings, *f)
	}
	return e.told(findings)
}

// streamed are the findings of the example as its events come in one by one, each
// at its own time.
func (e *example) streamed(t *testing.T) []pageFinding {
	t.Helper()
	set := &rules.Set{Rules: []*rules.Rule{e.rule}}
	matcher, windows := detect.NewMatcher(set), detect.NewSharded(set, detect.Limits{})
	var log detect.Memory
	var drafts []detect.Draft
	var newest time.Time
	for _, item := range e.items(t) {
		var event audit.Event
		if err := audit.Scan(item, &event); err != nil {
			t.Fatal(err)
		}
		in := detect.Input{Cluster: cluster, Received: event.StageTime, Event: &event}
		for _, m := range matcher.Match(&in, nil) {
			drafts = windows.Add(&m, log.Append(&m), drafts)
		}
		if event.StageTime.After(newest) {
			newest = event.StageTime
		}
		drafts = windows.Advance(newest.Add(-detect.Lateness), drafts)
	}
	closed := map[detect.FindingID]detect.Finding{}
	for _, d := range windows.Finish(drafts) {
		f, err := d.Finding(log.Read)
		if err != nil {
			t.Fatal(err)
		}
		if f.State == detect.StateClosed {
			closed[f.ID] = f
		}
	}
	return e.told(slices.Collect(maps.Values(closed)))
}

// told tells findings as the page does, in order of time.
func (e *example) told(findings []detect.Finding) []pageFinding {
	slices.SortFunc(findings, func(a, b detect.Finding) int {
		if c := a.FirstSeen.Compare(b.FirstSeen); c != 0 {
			return c
		}
		return a.LastSeen.Compare(b.LastSeen)
	})
	var all []pageFinding
	for _, f := range findings {
		p := pageFinding{Count: f.Count, Distinct: f.Distinct}
		if e.rule.Suppress > 0 {
			p.Bucket = at(f.LastSeen.Truncate(e.rule.Suppress))
		}
		for _, event := range f.Events {
			p.Events = append(p.Events, at(event.Time))
		}
		all = append(all, p)
	}
	return all
}

// at writes a time as tests of rules do: 0s, 5m, 1h30m.
func at(t time.Time) string {
	s := t.Sub(start).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// What the page says of windows is so.
func TestExamplesOfThePage(t *testing.T) {
	kinds := map[rules.WindowKind]int{}
	for _, e := range examples(t) {
		kinds[e.rule.Window.Kind]++
		t.Run(string(e.rule.ID), func(t *testing.T) {
			if diff := cmp.Diff(e.findings, e.scanned(t), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("findings (-page +scan):\n%s", diff)
			}
			if diff := cmp.Diff(e.findings, e.streamed(t), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("findings (-page +stream):\n%s", diff)
			}
		})
	}
	for _, kind := range []rules.WindowKind{rules.Count, rules.Distinct, rules.Sequence, rules.Absence, rules.FirstSeen} {
		if kinds[kind] == 0 {
			t.Errorf("the page has no example of %s", kind)
		}
	}
}

// unknownCase is a line of the page's table of what is not known.
type unknownCase struct{ condition, event, want string }

var (
	namedEvents = regexp.MustCompile("(?ms)^```yaml named events\n(.*?)^```$")
	lineOfTable = regexp.MustCompile("(?m)^\\| `(.+?)` \\| ([a-z-]+) \\| (true|false|blind) \\|")
)

func unknownCases(t *testing.T) (cases []unknownCase, events map[string][]byte) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	block := namedEvents.FindSubmatch(text)
	if block == nil {
		t.Fatal("the page names no events")
	}
	var named map[string]map[string]any
	if err := yaml.Unmarshal(block[1], &named); err != nil {
		t.Fatal(err)
	}
	events = map[string][]byte{}
	for name, e := range named {
		json, err := yaml.MarshalWithOptions(e, yaml.JSON())
		if err != nil {
			t.Fatal(err)
		}
		if events[name], err = complete(rules.TestEvent{JSON: json}, 0); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	for _, line := range lineOfTable.FindAllStringSubmatch(string(text), -1) {
		cases = append(cases, unknownCase{strings.ReplaceAll(line[1], `\|`, `|`), line[2], line[3]})
	}
	return cases, events
}

// What the page says of what was not recorded is so.
func TestUnknownOfThePage(t *testing.T) {
	cases, events := unknownCases(t)
	if len(cases) < 30 {
		t.Errorf("%d cases, want at least 30", len(cases))
	}
	used := map[string]bool{}
	for _, c := range cases {
		item := events[c.event]
		if item == nil {
			t.Errorf("the page has no event %q", c.event)
			continue
		}
		used[c.event] = true
		if got := answer(t, c.condition, item); got != c.want {
			t.Errorf("%s on %s is %s, the page says %s", c.condition, c.event, got, c.want)
		}
	}
	for name := range events {
		if !used[name] {
			t.Errorf("no case is about %s", name)
		}
	}
}

// answer is what a rule of one condition makes of an event.
func answer(t *testing.T, condition string, item []byte) string {
	t.Helper()
	text := fmt.Sprintf("id: page\ntitle: t\nseverity: low\nwhen: %q\n", condition)
	parsed, problems := rules.Parse(page, []byte(text), rules.OriginUser)
	if len(problems) > 0 {
		t.Fatalf("%s: %v", condition, problems)
	}
	var event audit.Event
	if err := audit.Scan(item, &event); err != nil {
		t.Fatal(err)
	}
	matcher := detect.NewMatcher(&rules.Set{Rules: parsed})
	matches := matcher.Match(&detect.Input{Cluster: cluster, Event: &event}, nil)
	switch notes := matcher.Notes(); {
	case len(matches) > 0:
		return "true"
	case len(notes) > 0:
		return string(notes[0].Outcome)
	default:
		return "false"
	}
}

var plainBlock = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")

// The other blocks of the page are rules whose tests pass, changes, or parts of a
// rule.
func TestOtherBlocksOfThePage(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	ran, changes, parts := 0, 0, 0
	for _, block := range plainBlock.FindAllStringSubmatch(string(text), -1) {
		source := strings.ReplaceAll(block[1], "[…]", "[{verb: get}]")
		if !strings.HasPrefix(source, "id:") && !strings.HasPrefix(source, "kind:") {
			parts++
			source = "id: page\ntitle: t\nwhen: allowed\n" + source
			if !strings.Contains(source, "\nseverity:") {
				source += "severity: low\n"
			}
		}
		file, problems := rules.ParseFile(page, []byte(source), rules.OriginUser)
		if len(problems) > 0 {
			t.Errorf("%s\n%v", source, problems)
		}
		changes += len(file.Changes)
		for _, r := range file.Rules {
			for _, result := range Run(r) {
				if ran++; !result.Passed && r.ID != "page" {
					t.Errorf("rule %s, test %q: %s", r.ID, result.Test, result.Message)
				}
			}
		}
	}
	if ran < 3 || changes != 2 || parts != 2 {
		t.Errorf("%d tests, %d changes, %d parts of a rule: the page has more", ran, changes, parts)
	}
}
