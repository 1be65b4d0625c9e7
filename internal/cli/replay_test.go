package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klaxon-dev/klaxon/ingest"
	"github.com/klaxon-dev/klaxon/internal/scan"
)

func TestDeltaToNowMovesTheLastEventToNow(t *testing.T) {
	// The last in time is not the last in the file.
	const lines = `{"kind":"Event","apiVersion":"audit.k8s.io/v1","stageTimestamp":"2001-02-03T04:05:07.000000Z"}
{"kind":"Event","apiVersion":"audit.k8s.io/v1","stageTimestamp":"2001-02-03T04:05:06.000000Z"}
`
	path := filepath.Join(t.TempDir(), "audit.log")
	if err := os.WriteFile(path, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	before := time.Now()
	delta, err := deltaToNow(Streams{}, []scan.Input{{Path: path}})
	if err != nil {
		t.Fatal(err)
	}
	last, _, _ := strings.Cut(lines, "\n")
	moved, err := ingest.WebhookItem([]byte(last), delta)
	if err != nil {
		t.Fatal(err)
	}
	at, err := ingest.EventTime(moved)
	if err != nil {
		t.Fatal(err)
	}
	if at.Before(before.Truncate(time.Microsecond)) || at.After(time.Now()) {
		t.Errorf("the last event is at %v, want now", at)
	}
}

func TestDeltaToNowRefuses(t *testing.T) {
	if _, err := deltaToNow(Streams{}, []scan.Input{{Path: scan.Stdin}}); err == nil {
		t.Error("standard input cannot be read twice")
	}
	path := filepath.Join(t.TempDir(), "empty.log")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := deltaToNow(Streams{}, []scan.Input{{Path: path}}); err == nil || !strings.Contains(err.Error(), "no event has a time") {
		t.Errorf("got %v", err)
	}
}
