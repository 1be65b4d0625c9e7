package audit

import (
	"strings"
	"testing"
)

func TestGap(t *testing.T) {
	f := func(e Event, want Gap) {
		t.Helper()
		if got := e.Gap(); got != want {
			t.Errorf("%s at %s: %s, want %s", e.Verb, e.Level, got, want)
		}
	}
	f(Event{Verb: "create", Level: LevelMetadata}, GapRequest)
	f(Event{Verb: "update", Level: LevelMetadata}, GapRequest)
	f(Event{Verb: "patch", Level: LevelMetadata}, GapRequestResponse)
	f(Event{Verb: "patch", Level: LevelRequest}, GapRequestResponse)
	f(Event{Verb: "create", Level: LevelRequest}, GapRequestResponse)
	f(Event{Verb: "delete", Level: LevelRequestResponse}, GapNever)
	f(Event{Verb: "watch", Level: LevelMetadata}, GapNever)
	f(Event{Verb: "create", Level: LevelRequest, Annotations: Pairs{{Key: "audit.k8s.io/truncated", Value: "true"}}}, GapTruncated)
}

func TestKnownResource(t *testing.T) {
	f := func(name, want string) {
		t.Helper()
		e := Event{ObjectRef: ObjectRef{Resource: name}}
		if got := e.KnownResource(); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
	f("", "")
	f("pods", "pods")
	f("Pods", OtherResource)
	f("certificates", OtherResource)
	f(strings.Repeat("x", 1_000), OtherResource)
}
