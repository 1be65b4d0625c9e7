package detect

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/rules"
)

func builtinSet(t testing.TB) *rules.Set {
	t.Helper()
	set, problems := rules.Load(rules.Sources{})
	if len(problems) > 0 {
		t.Fatal(problems.Error())
	}
	return set
}

// findingsOf runs the events of a file through the builtin rules and returns
// "rule: requests/events by actor" of each finding.
func findingsOf(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	set := builtinSet(t)
	matcher, windows := NewMatcher(set), NewWindows(set, Limits{})
	var log Memory
	for line := range bytes.Lines(text) {
		var e audit.Event
		if err := audit.Scan(bytes.TrimSpace(line), &e); err != nil {
			t.Fatal(err)
		}
		in := Input{Cluster: "c", ID: e.ID("c"), RequestID: e.RequestID("c"), Event: &e}
		for _, m := range matcher.Match(&in, nil) {
			windows.Add(&m, log.Append(&m), nil)
		}
	}
	var found []string
	for _, f := range findings(t, &log, windows.Finish(nil)) {
		found = append(found, fmt.Sprintf("%s: %d/%d by %q on %s", f.Rule, f.Count, len(f.Events), f.Actor, f.Events[0].Object))
	}
	slices.Sort(found)
	return found
}

// Events that real API servers wrote, each of a kind that detectors trip over.
func TestRecordedEvents(t *testing.T) {
	f := func(name string, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, findingsOf(t, "../testdata/cases/"+name+".jsonl")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	// A 401 exists only at ResponseStarted, with an empty user.
	f("failed-authentication", `failed-authentication: 2/2 by "" on namespaces`)
	// WebSocket clients exec with verb get; the request is seen at two stages and counts once.
	f("exec-websocket-two-stages", `exec-into-pod: 1/2 by "dave" on pods/exec staging/migrate-763679839-5jlp2`)
	f("exec-spdy-two-stages", `exec-into-pod: 1/2 by "mallory@corp.example" on pods/exec staging/target`)
	// Paths keep their percent-encoding in requestURI; objectRef is decoded.
	f("percent-encoded-path",
		`secret-list-system-namespace: 1/1 by "ops-breakglass" on secrets kube-system/`,
		`secret-list: 1/1 by "ops-breakglass" on secrets prod/`,
		`secret-read: 1/1 by "ops-breakglass" on secrets prod/db-creds`)
	// Non-resource requests have no objectRef.
	f("no-object-ref",
		`anonymous-probe: 1/1 by "system:anonymous" on /`,
		`anonymous-version: 1/1 by "system:anonymous" on /version/`)
	// The body of a JSON patch is a list; the result is in the response.
	f("json-patch",
		`admission-changed: 1/1 by "ops-breakglass" on mutatingwebhookconfigurations sidecar-injector-evil`,
		`builtin-role-changed: 1/1 by "ops-breakglass" on clusterroles view`)
	// RequestReceived is not matched: each of these requests is found once.
	f("request-received",
		`secret-list: 1/1 by "ci-bot" on secrets staging/`,
		`secret-read: 1/1 by "alice@corp.example" on secrets payments/payments-svc2-db`)
	// A client that sends one Audit-ID for all its requests hides none of them.
	f("same-audit-id",
		`secret-list-system-namespace: 1/1 by "ops-breakglass" on secrets kube-system/`,
		`secret-list: 1/1 by "ops-breakglass" on secrets prod/`)
}
