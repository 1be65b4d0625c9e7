package detect

import (
	"fmt"
	"testing"
	"time"

	"github.com/klaxon-dev/klaxon/audit"
)

// A finding is as severe as its first event makes it, in whatever order its events
// came.
func TestSeverityOfTheFirstEvent(t *testing.T) {
	set := setOf(t, `
id: x
title: t
severity:
  - {when: 'verb == "delete"', is: critical}
  - {when: 'any(containers, .privileged)', is: high}
  - {is: low}
when: allowed
window: {by: [cluster]}
`)
	f := func(want string, verbs ...string) {
		t.Helper()
		for _, backwards := range []bool{false, true} {
			matcher, windows := NewMatcher(set), NewWindows(set, Limits{})
			var log Memory
			for i := range verbs {
				if backwards {
					i = len(verbs) - 1 - i
				}
				e := audit.Event{Stage: audit.StageResponseComplete, Level: audit.LevelMetadata, Verb: verbs[i], StageTime: base.Add(time.Duration(i) * time.Minute), AuditID: fmt.Sprint(i)}
				e.ResponseStatus.Code = 200
				in := Input{Cluster: "c", Event: &e}
				for _, m := range matcher.Match(&in, nil) {
					windows.Add(&m, log.Append(&m), nil)
				}
			}
			said := windows.Finish(nil)
			if len(said) != 1 {
				t.Fatalf("%d findings, want 1", len(said))
			}
			finding, err := said[0].Finding(log.Read)
			if err != nil {
				t.Fatal(err)
			}
			if finding.Severity != want {
				t.Errorf("%q, backwards %v: severity %s, want %s", verbs, backwards, finding.Severity, want)
			}
		}
	}
	f("critical", "delete", "get")
	f("low", "get", "delete")
	f("low", "create") // what is unknown does not make it worse
}
