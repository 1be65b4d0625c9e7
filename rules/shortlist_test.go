package rules

import (
	"fmt"
	"testing"

	"github.com/klaxon-dev/klaxon/audit"
)

// Candidates are found by a value, a beginning, an element of a list.
func TestShortlist(t *testing.T) {
	var conditions []*Condition
	for _, form := range []string{
		`objectRef.name == "n%d"`, `path startsWith "/apis/g%d"`, `"g%d" in user.groups`, `objectRef.namespace in ["a%d", "b%[1]d"]`,
	} {
		for i := range 2 * fewCandidates {
			c, err := compileCondition(`verb == "get" && ` + fmt.Sprintf(form, i))
			if err != nil {
				t.Fatal(err)
			}
			conditions = append(conditions, c)
		}
	}
	x, m := NewIndex(single(conditions)), NewMachine()
	f := func(e audit.Event, want string) {
		t.Helper()
		e.Verb = "get"
		m.Load(scopeOf(&e))
		if got := fmt.Sprint(x.Candidates(m)); got != want {
			t.Errorf("candidates %s, want %s", got, want)
		}
	}
	f(audit.Event{}, "[]")
	f(audit.Event{ObjectRef: audit.ObjectRef{Name: "n3"}}, "[3]")
	f(audit.Event{RequestURI: "/apis/g2/v1"}, "[10]")
	f(audit.Event{RequestURI: "/apis/g"}, "[]")
	f(audit.Event{User: audit.User{Groups: []string{"g1", "x", "g1", "g7"}}}, "[17 23]")
	f(audit.Event{ObjectRef: audit.ObjectRef{Namespace: "b5"}}, "[29]")
	f(audit.Event{ObjectRef: audit.ObjectRef{Name: "n0", Namespace: "a0"}, RequestURI: "/apis/g0", User: audit.User{Groups: []string{"g0"}}}, "[0 8 16 24]")
}

// A status that no condition names is like any other.
func TestOutlinesOfStatuses(t *testing.T) {
	c, err := compileCondition(`responseStatus.code == 401 || responseStatus.code in [403, 429]`)
	if err != nil {
		t.Fatal(err)
	}
	x, m := NewIndex(single([]*Condition{c})), NewMachine()
	for code := range int32(600) {
		e := audit.Event{ResponseStatus: audit.ResponseStatus{Code: code}}
		m.Load(scopeOf(&e))
		if found := len(x.Candidates(m)) > 0; found != (code == 401 || code == 403 || code == 429) {
			t.Errorf("status %d: found %v", code, found)
		}
	}
	if len(x.normal) > 8 {
		t.Errorf("%d outlines", len(x.normal))
	}
}
