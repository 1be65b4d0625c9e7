package scan

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/klaxon-dev/klaxon/rules"
)

// What is too large for serve is not looked at whole here either: the two find
// the same.
func TestOversizedEvents(t *testing.T) {
	set, problems := rules.Load(rules.Sources{})
	if len(problems) > 0 {
		t.Fatal(problems.Error())
	}
	told := 0
	s := newScanner(t, Config{Rules: set, Redacted: func() { told++ }})
	pod := func(padding int) string {
		return `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Request","auditID":"a","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/default/pods",` +
			`"verb":"create","user":{"username":"mallory","groups":["system:authenticated"]},"objectRef":{"resource":"pods","namespace":"default","name":"p","apiVersion":"v1"},` +
			`"responseStatus":{"metadata":{},"code":201},"requestObject":{"kind":"Pod","apiVersion":"v1","spec":{"hostPID":true,"nodeName":"` + strings.Repeat("x", padding) +
			`","containers":[{"name":"c","image":"i","securityContext":{"privileged":true}}]}},` +
			`"requestReceivedTimestamp":"2026-11-21T02:16:47.703474Z","stageTimestamp":"2026-11-21T02:16:47.709999Z"}` + "\n"
	}
	file := File{Name: "audit.log", Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(pod(0) + pod(2<<20))), nil }}
	if err := s.Files(context.Background(), []File{file}); err != nil {
		t.Fatal(err)
	}
	findings, summary := finish(t, s)
	if summary.Events != 2 || summary.Reduced != 1 || told != 1 {
		t.Errorf("%d events, %d reduced, told %d times", summary.Events, summary.Reduced, told)
	}
	if len(findings) == 0 || len(summary.Blind) == 0 {
		t.Errorf("%d findings of the small event, rules blind on the large one: %v", len(findings), summary.Blind)
	}
}
