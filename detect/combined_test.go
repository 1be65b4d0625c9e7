package detect

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/rules"
)

// scene is what a real API server recorded of people and programs: e2e/record
// plays them.
type scene struct {
	file  string
	rule  rules.RuleID
	finds []string      // "key, n requests" of each finding of the rule
	later time.Duration // passes after the last event
	steps []sceneStep   // without any of them, the rule is silent
}

// sceneStep is one thing that happens in a scene.
type sceneStep struct {
	name string
	is   func(*audit.Event) bool
}

// of tells the events on an object, as "pods/exec shop/till-0", with a verb.
func of(verb, object string) func(*audit.Event) bool {
	return func(e *audit.Event) bool { return e.Verb == verb && e.Resource()+" "+e.ObjectKey() == object }
}

// by tells the events of a client.
func by(agent, address string) func(*audit.Event) bool {
	return func(e *audit.Event) bool { return e.UserAgent == agent && e.ClientIP() == address }
}

const binding = "clusterrolebindings tmp-7"

var scenes = []scene{
	{
		file: "exec-then-token", rule: "exec-then-token-elsewhere", finds: []string{"c shop/till-0, 2 requests"},
		steps: []sceneStep{
			{"the exec", of("get", "pods/exec shop/till-0")},
			{"the token used by curl", by("curl/8.5.0", "127.0.0.2")},
		},
	},
	{
		file: "exec-then-token", rule: "exec-then-token-moved", finds: []string{"c shop/till-0, 4 requests"},
		steps: []sceneStep{
			{"the pod's own requests", by("till/v1.4.2", "127.0.0.3")},
			{"the exec", of("get", "pods/exec shop/till-0")},
			{"the token used at another address", by("curl/8.5.0", "127.0.0.2")},
		},
	},
	{
		file: "exec-then-token-at-hand", rule: "exec-then-token-at-hand", finds: []string{"c shop/till-0 127.0.0.1, 2 requests"},
		steps: []sceneStep{
			{"the exec", of("get", "pods/exec shop/till-0")},
			{"the token used where the exec came from", by("till/v1.4.2", "127.0.0.1")},
		},
	},
	{
		file: "issued-token", rule: "issued-token-used-elsewhere", finds: []string{"c JTI, 2 requests"},
		steps: []sceneStep{
			{"the tokens issued", of("create", "serviceaccounts/token shop/till")},
			{"the token used at another address", by("curl/8.5.0", "127.0.0.2")},
		},
	},
	{
		file: "short-lived-binding", rule: "binding-made-used-and-removed", finds: []string{"c tmp-7, 3 requests"},
		steps: []sceneStep{
			{"made", of("create", binding)},
			{"used", func(e *audit.Event) bool { return e.Binding() == "tmp-7" }},
			{"removed", of("delete", binding)},
		},
	},
	{
		file: "certificate", rule: "certificate-approved-by-who-asked", finds: []string{"c olga@corp.example olga-csr, 2 requests"},
		steps: []sceneStep{
			{"asked for", of("create", "certificatesigningrequests olga-csr")},
			{"approved", of("update", "certificatesigningrequests/approval olga-csr")},
		},
	},
	{
		file: "certificate", rule: "certificate-approved-for-oneself",
		finds: []string{"c olga@corp.example olga-csr, 1 requests"},
		steps: []sceneStep{{"approved", of("update", "certificatesigningrequests/approval olga-csr")}},
	},
	{
		file: "secret-sweep", rule: "secret-sweep", finds: []string{"c sybil@corp.example, 6 requests"},
		steps: []sceneStep{{"two of six secrets", func(e *audit.Event) bool { return e.ObjectRef.Name >= "card-4" }}},
	},
	{
		file: "permission-probing", rule: "permission-probing", finds: []string{"c trent@corp.example, 6 requests"},
		steps: []sceneStep{{"three of six kinds", func(e *audit.Event) bool {
			return slices.Contains([]string{"secrets", "services", "endpoints"}, e.ObjectRef.Resource)
		}}},
	},
	{
		file: "mass-deletion", rule: "mass-deletion", finds: []string{"c mina@corp.example, 24 requests"},
		steps: []sceneStep{{"some of 24 objects", func(e *audit.Event) bool { return e.ObjectRef.Name >= "price-5" }}},
	},
	{
		file: "namespace", rule: "namespace-without-default-deny", later: 11 * time.Minute,
		finds: []string{"c annex, 1 requests", "c half-open, 1 requests"},
		steps: []sceneStep{{"two namespaces made", func(e *audit.Event) bool {
			return of("create", "namespaces annex")(e) || of("create", "namespaces half-open")(e)
		}}},
	},
}

// Each rule finds what a real API server recorded of what it looks for, and
// nothing where a step of that is left out.
func TestCombinations(t *testing.T) {
	set := builtinSet(t)
	for _, s := range scenes {
		t.Run(string(s.rule), func(t *testing.T) {
			events := readEvents(t, "../testdata/combined/"+s.file+".jsonl")
			if diff := cmp.Diff(s.finds, s.play(t, set, events)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			for _, step := range s.steps {
				rest := slices.DeleteFunc(slices.Clone(events), func(e *audit.Event) bool { return step.is(e) })
				if len(rest) == len(events) {
					t.Errorf("nothing was recorded of %q", step.name)
				}
				if got := s.play(t, set, rest); len(got) > 0 {
					t.Errorf("without %q: %q", step.name, got)
				}
			}
		})
	}
}

// A namespace is not reported before its time has passed, nor one that got a
// default-deny meanwhile.
func TestAbsenceIsAMatterOfTime(t *testing.T) {
	set := builtinSet(t)
	events := readEvents(t, "../testdata/combined/namespace.jsonl")
	s := scenes[len(scenes)-1]
	s.later = 9 * time.Minute
	if got := s.play(t, set, events); len(got) > 0 {
		t.Errorf("after %v: %q", s.later, got)
	}
	s.later = 11 * time.Minute
	rest := slices.DeleteFunc(events, func(e *audit.Event) bool { return e.ObjectRef.Name == "default-deny" })
	if got := s.play(t, set, rest); !slices.Contains(got, "c vault, 1 requests") {
		t.Errorf("a namespace without its default-deny is not found: %q", got)
	}
}

// play returns what the scene's rule finds in events.
func (s *scene) play(t *testing.T, set *rules.Set, events []*audit.Event) []string {
	t.Helper()
	matcher, windows := NewMatcher(set), NewWindows(set, Limits{})
	var log Memory
	var last time.Time
	for _, e := range events {
		in := Input{Cluster: "c", Event: e}
		for _, m := range matcher.Match(&in, nil) {
			windows.Add(&m, log.Append(&m), nil)
		}
		if e.StageTime.After(last) {
			last = e.StageTime
		}
	}
	var found []string
	for _, f := range findings(t, &log, windows.Finish(windows.Advance(last.Add(s.later), nil))) {
		if f.Rule == string(s.rule) && f.State == StateClosed {
			found = append(found, said(&f))
		}
	}
	slices.Sort(found)
	return found
}

// said is a finding's key and count. Random ids are not told.
func said(f *Finding) string {
	var text string
	for i, k := range f.Key {
		if i > 0 {
			text += " "
		}
		kind, _, _ := bytes.Cut([]byte(k.Value), []byte("="))
		text += string(kind)
	}
	return fmt.Sprintf("%s, %d requests", text, f.Count)
}

// readEvents reads a file of JSON lines.
func readEvents(t *testing.T, file string) []*audit.Event {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var events []*audit.Event
	for line := range bytes.Lines(text) {
		var e audit.Event
		if err := audit.Scan(bytes.TrimSpace(line), &e); err != nil {
			t.Fatal(err)
		}
		events = append(events, &e)
	}
	return events
}
