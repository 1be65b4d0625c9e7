package rules

import (
	"fmt"
	"strings"
	"testing"

	"github.com/klaxon-dev/klaxon/audit"
)

// reducedTo reduces an event to the least limit.
func reducedTo(t *testing.T, e *audit.Event) *audit.Event {
	t.Helper()
	redactor, err := audit.NewRedactor([]byte(strings.Repeat("k", audit.MinKeyBytes)))
	if err != nil {
		t.Fatal(err)
	}
	r, err := audit.NewReducer(redactor, audit.MinEventBytes)
	if err != nil {
		t.Fatal(err)
	}
	item := audit.AppendJSON(nil, e)
	var out audit.Event
	if err := audit.Scan(item, &out); err != nil {
		t.Fatal(err)
	}
	if _, how, err := r.Reduce(item, &out); err != nil || how == audit.NotReduced {
		t.Fatalf("reduced by %q, %v", how, err)
	}
	return &out
}

func TestReducedIsUnknown(t *testing.T) {
	f := func(change func(*audit.Event), conditions map[string]Truth) {
		t.Helper()
		e := podEvent()
		change(e)
		e = reducedTo(t, e)
		for condition, want := range conditions {
			if got, err := eval(t, condition, e); err != nil || got != want {
				t.Errorf("%v: %s is %v, %v, want %v", e.Reduced(), condition, got, err, want)
			}
		}
	}
	long := strings.Repeat("x", 100_000)
	f(func(e *audit.Event) {
		e.RequestObject = []byte(`{"kind":"Pod","spec":{"hostPID":true,"nodeName":"` + long + `"}}`)
	}, map[string]Truth{
		`podSpec.hostPID`: Unknown, `!podSpec.hostPID`: Unknown, `object == nil`: Unknown, `len(containers) == 0`: Unknown,
		`verb == "create"`: True, `verb == "create" && podSpec.hostPID`: Unknown, `verb == "get" && podSpec.hostPID`: False,
	})
	f(func(e *audit.Event) { // the request does not stand for a response that was left out
		e.ResponseObject = []byte(`{"kind":"Pod","spec":{"hostPID":true,"nodeName":"` + long + `"}}`)
	}, map[string]Truth{`podSpec.hostPID`: Unknown, `any(containers, .privileged)`: Unknown})
	f(func(e *audit.Event) { e.RequestURI = "/api/v1/pods?dryRun=All&x=" + long }, map[string]Truth{
		`requestURI contains "zzz"`: Unknown, `path == "/api/v1/pods"`: Unknown, `dryRun`: Unknown, `!dryRun`: Unknown,
		`"dryRun" in query`: Unknown, `verb == "create"`: True, `object.kind == "Pod"`: Unknown, `userAgent != "zz"`: True,
	})
	f(func(e *audit.Event) { e.ObjectRef.Resource = long }, map[string]Truth{
		`objectRef.resource == "pods"`: Unknown, `objectRef.resource matches "^x"`: Unknown, `objectRef.namespace != "zz"`: True,
	})
	f(func(e *audit.Event) {
		for i := range 20_000 {
			e.SourceIPs = append(e.SourceIPs, fmt.Sprint("10.0.0.", i))
		}
		e.SourceIPs = append(e.SourceIPs, "192.0.2.7")
	}, map[string]Truth{
		`"10.0.0.9999" in sourceIPs`: Unknown, `any(sourceIPs, # == "x")`: Unknown, `len(sourceIPs) > 100`: Unknown,
		`sourceIP.client == "192.0.2.7"`: True,
	})
	f(func(e *audit.Event) {
		e.Annotations = audit.Pairs{{Key: "a", Value: long}, {Key: "authorization.k8s.io/decision", Value: "allow"}}
	}, map[string]Truth{
		`annotations["a"] == "x"`: Unknown, `annotations["b"] == nil`: Unknown, `authorization.decision == "allow"`: True,
	})
	f(func(e *audit.Event) { e.User.Username = long }, map[string]Truth{
		`actor.kind == "human"`: Unknown, `actor.name == "alice"`: Unknown, `user.username == "alice"`: Unknown,
		`actor.impersonating`: False, `actor.controller`: Unknown, `actor.namespace == ""`: Unknown,
	})
}

// No field of the vocabulary is forgotten: what is derived from others is named
// in madeOf, so that a new field is thought of.
func TestMadeOf(t *testing.T) {
	for _, f := range derivedFields {
		if _, ok := madeOf[f.Name]; !ok && f.Name != "cluster" && f.Name != "allowed" && f.Name != "denied" {
			t.Errorf("madeOf does not say what %s is made of", f.Name)
		}
	}
	for name := range madeOf {
		if lookup(name) == nil {
			t.Errorf("there is no field %s", name)
		}
	}
}

// An event whose outline is unknown is looked up in no index.
func TestIndexOfReducedEvents(t *testing.T) {
	var conditions []*Condition
	for _, text := range []string{`objectRef.resource == "pods"`, `verb == "get"`} {
		c, err := compileCondition(text)
		if err != nil {
			t.Fatal(err)
		}
		conditions = append(conditions, c)
	}
	x := NewIndex(single(conditions))
	m := NewMachine()
	e := podEvent()
	m.Load(scopeOf(e))
	if got := fmt.Sprint(x.Candidates(m)); got != "[0]" {
		t.Errorf("candidates of a whole event: %s", got)
	}
	e.ObjectRef.Resource = strings.Repeat("x", 100_000)
	m.Load(scopeOf(reducedTo(t, e)))
	if got := fmt.Sprint(x.Candidates(m)); got != "[0 1]" {
		t.Errorf("candidates of a reduced event: %s", got)
	}
}
