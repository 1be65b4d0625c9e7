package detect

import (
	"encoding/json"
	"strings"
	"testing"

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
