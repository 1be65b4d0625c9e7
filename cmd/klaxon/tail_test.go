package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klaxon-dev/klaxon/ingest"
	"github.com/klaxon-dev/klaxon/internal/recorded"
)

// The API server's log brings what its webhook brought before: each event is
// one row, and no finding counts it again. What the webhook lost comes in.
func TestTailBehindWebhook(t *testing.T) {
	i := install(t)
	lines := recorded.Lines(t, recorded.Attack)
	const lost = 100 // the webhook's last ones
	bodies := posted(t, lines)
	all := i.ids(bodies)
	for _, body := range posted(t, lines[:len(lines)-lost]) {
		if code := i.post(body); code != http.StatusOK {
			t.Fatalf("answered with %d", code)
		}
	}
	i.drained()

	log := filepath.Join(i.dir, "audit.log")
	rotated := filepath.Join(i.dir, "audit-2026-11-21T02-30-00.000.log")
	write(t, rotated, lines[:len(lines)/2])
	write(t, log, lines[len(lines)/2:len(lines)-lost])
	want := i.counts("scan", "--cluster", "prod-1", "-o", "ndjson", rotated, log)
	i.wantFindings("by the webhook", want)
	i.tail(len(lines)-lost, "--from", "oldest", log)
	i.drained()
	i.wantFindings("and by the log", want)
	copies := 0
	for line := range strings.Lines(string(i.metrics())) {
		var n int
		if strings.HasPrefix(line, "klaxon_store_duplicate_events_total{") {
			_, _ = fmt.Sscan(line[strings.LastIndexByte(line, ' ')+1:], &n)
			copies += n
		}
	}
	if copies != len(lines)-lost {
		t.Errorf("%d copies are counted, want %d", copies, len(lines)-lost)
	}

	write(t, log, lines[len(lines)/2:])
	i.tail(lost, log)
	i.drained()
	i.wantStored(all)
}

// tail brings a log in, to its end, and wants a number of events to be sent.
func (i *installation) tail(want int, args ...string) {
	i.t.Helper()
	var stats struct {
		Events, Malformed int
	}
	out := i.klaxon(append([]string{"tail", "--once", "-o", "json"}, args...)...)
	if err := json.Unmarshal(out, &stats); err != nil || stats.Events != want || stats.Malformed != 0 {
		i.t.Fatalf("%v: %s, want %d events", err, out, want)
	}
}

// wantFindings wants the findings that a scan of the same events gives. Of open
// ones a count is told when it has doubled, so it may be less: never more.
func (i *installation) wantFindings(when string, want map[string]int) {
	i.t.Helper()
	got := i.counts("findings", "--since", "2000-01-01T00:00:00Z", "--all", "-o", "ndjson")
	for id, n := range got {
		if n > want[id] {
			i.t.Errorf("%s: finding %s counts %d, want %d at most", when, id, n, want[id])
		}
	}
	if len(got) != len(want) || len(got) < 20 {
		i.t.Errorf("%s: %d findings, want %d", when, len(got), len(want))
	}
}

// counts returns what the findings that a command prints count, by their ids.
func (i *installation) counts(args ...string) map[string]int {
	i.t.Helper()
	counts := map[string]int{}
	for line := range bytes.Lines(i.klaxon(args...)) {
		var f struct {
			ID    string
			Count int
		}
		if err := json.Unmarshal(line, &f); err != nil {
			i.t.Fatal(err)
		}
		counts[f.ID] = f.Count
	}
	return counts
}

// posted returns the bodies that an API server's webhook makes of lines.
func posted(t *testing.T, lines [][]byte) [][]byte {
	t.Helper()
	var bodies [][]byte
	for len(lines) > 0 {
		n := min(400, len(lines))
		items := make([][]byte, n)
		for i, line := range lines[:n] {
			var err error
			if items[i], err = ingest.WebhookItem(line, 0); err != nil {
				t.Fatal(err)
			}
		}
		bodies = append(bodies, fmt.Appendf(nil, `{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[%s]}`, bytes.Join(items, []byte(","))))
		lines = lines[n:]
	}
	return bodies
}

func write(t *testing.T, path string, lines [][]byte) {
	t.Helper()
	if err := os.WriteFile(path, append(bytes.Join(lines, []byte("\n")), '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
}
