package recorded

import (
	"testing"

	"github.com/klaxon-dev/klaxon/audit"
)

func TestRecordings(t *testing.T) {
	for _, name := range []string{Attack, Labelled, Benign} {
		lines, events := Lines(t, name), Events(t, name)
		if len(lines) < 100 || len(lines) != len(events) {
			t.Errorf("%s: %d lines, %d events", name, len(lines), len(events))
		}
	}
}

func TestAtMetadata(t *testing.T) {
	bodies := 0
	for _, line := range Lines(t, Labelled) {
		before, after := scan(t, line), scan(t, AtMetadata(t, line))
		if before.RequestObject != nil {
			bodies++
		}
		if after.Level != audit.LevelMetadata || after.RequestObject != nil || after.ResponseObject != nil || after.AuditID != before.AuditID {
			t.Fatalf("%s is left of %s", AtMetadata(t, line), line)
		}
	}
	if bodies < 10 {
		t.Errorf("%d of the events had a body", bodies)
	}
}
