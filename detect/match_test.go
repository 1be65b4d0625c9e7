package detect

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/klaxon-dev/klaxon/audit"
)

// A client that writes long texts everywhere does not make long matches.
func TestMatchIsBounded(t *testing.T) {
	long := strings.Repeat("é", 100_000)
	event := audit.Event{
		AuditID: long, Stage: long, Verb: long, RequestURI: long, UserAgent: long,
		User:           audit.User{Username: "system:anonymous", Groups: []string{long}},
		SourceIPs:      []string{long, long, long, long, long, long, long, long, long},
		ObjectRef:      audit.ObjectRef{Resource: long, Subresource: long, Namespace: long, Name: long},
		ResponseStatus: audit.ResponseStatus{Code: 403, Message: long},
	}
	matches := NewMatcher(builtinSet(t)).Match(&Input{Cluster: "c", Event: &event}, nil)
	if len(matches) == 0 {
		t.Fatal("the event matches no rule")
	}
	for i := range matches {
		text, err := json.Marshal(&matches[i])
		if err != nil {
			t.Fatal(err)
		}
		if len(text) > 16<<10 {
			t.Errorf("a match of %s has %d bytes", matches[i].Rule, len(text))
		}
	}
}

// What takes findings away counts whoever did it, and even where it is not known
// whether it happened; what is listed must be sure, and not excepted.
func TestWhatUndoesMatches(t *testing.T) {
	set := parseSet(t, `
id: absent
title: t
severity: low
when: verb == "create" && podSpec.hostPID
window: {absence: {when: verb == "update" && podSpec.hostPID}, within: 10m}
exceptions: [{name: robot, when: actor.name == "robot"}]
---
id: until
title: t
severity: low
window:
  sequence: [{when: verb == "create" && podSpec.hostPID}, {when: verb == "list"}]
  until: {when: verb == "update" && podSpec.hostPID}
  within: 10m
exceptions: [{name: robot, when: actor.name == "robot"}]
`)
	m := NewMatcher(set)
	f := func(verb, user, body string, want ...string) {
		t.Helper()
		e := audit.Event{Level: audit.LevelRequest, Stage: audit.StageResponseComplete, Verb: verb, RequestObject: []byte(body)}
		e.SetPresent(audit.FieldObjectRef)
		e.User.Username, e.ObjectRef = user, audit.ObjectRef{Resource: "pods", Name: "p"}
		var got []string
		for _, match := range m.Match(&Input{Cluster: "c", Event: &e}, nil) {
			got = append(got, fmt.Sprintf("%s %d", match.Rule, match.Part))
		}
		for _, n := range m.Notes() {
			got = append(got, fmt.Sprintf("%s %s", n.Rule, n.Outcome))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s by %s of %s (-want +got):\n%s", verb, user, body, diff)
		}
	}
	const is, isNot, unknown = `{"kind":"Pod","spec":{"hostPID":true}}`, `{"kind":"Pod","spec":{}}`, ""
	f("create", "jane", is, "absent 0", "until 0")
	f("create", "robot", is, "absent excepted", "until excepted")
	f("create", "jane", unknown, "absent blind", "until blind")
	f("update", "jane", is, "absent 1", "until 2")
	f("update", "robot", is, "absent 1", "until 2")
	f("update", "jane", isNot)
	f("update", "robot", unknown, "absent 1", "until 2", "absent blind", "until blind")
	f("list", "robot", unknown, "until excepted")
}

// An exception ends by the time that counts for the event.
func TestExceptionsExpire(t *testing.T) {
	set := parseSet(t, "id: x\ntitle: t\nseverity: low\nwhen: verb == \"get\"\nexceptions: [{name: e, when: 'true', expires: 2026-06-01}]\n")
	june := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	f := func(happened, received time.Time, want int) {
		t.Helper()
		e := audit.Event{Stage: audit.StageResponseComplete, Verb: "get", StageTime: happened}
		if got := NewMatcher(set).Match(&Input{Cluster: "c", Received: received, Event: &e}, nil); len(got) != want {
			t.Errorf("at %v, received at %v: %d matches, want %d", happened, received, len(got), want)
		}
	}
	f(june.Add(-1), time.Time{}, 0)
	f(june, time.Time{}, 1)
	f(june.Add(24*time.Hour), june.Add(-time.Hour), 0) // a clock that is ahead
	f(june.Add(-time.Hour), june.Add(24*time.Hour), 0)
}
