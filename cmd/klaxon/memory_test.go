package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/klaxon-dev/klaxon/internal/query"
)

// The most that one POST is: 400 events of 2 MB, one of them of 24 MB, as one
// request of 1 MB to the API server makes it.
const (
	largeEvents = 400
	largeBytes  = 2_000_000
	largestAt   = 200
	largest     = 24_000_000
)

// It is accepted while an API server waits, and takes little memory: what is
// held is an event, not the body.
func TestLargestPost(t *testing.T) {
	const (
		mostMemory = 400 << 20 // bytes
		patience   = 30 * time.Second
	)
	i := install(t)
	idle := i.peakMemory()
	length, took, code := i.postLargest()
	if code != http.StatusOK || took > patience {
		t.Errorf("answered %d after %v, want 200 within %v", code, took, patience)
	}
	accepted := i.peakMemory()
	i.drained()
	peak := i.peakMemory()
	t.Logf("a POST of %d events, %d MB: accepted after %.1f s; serve's peak memory is %d MiB idle, %d MiB when it is accepted, %d MiB when it is stored",
		largeEvents, length/1_000_000, took.Seconds(), idle>>20, accepted>>20, peak>>20)
	if peak > mostMemory {
		t.Errorf("serve's peak memory is %d MiB, want at most %d", peak>>20, mostMemory>>20)
	}
	i.wantReduced()
	if metrics := string(i.metrics()); !strings.Contains(metrics, fmt.Sprintf(`klaxon_ingest_reduced_total{by="strings"} %d`, largeEvents)) {
		t.Error("serve does not count every event as reduced")
	}
}

// wantReduced checks that the store gives back what was kept of the events, with
// what says so, and that their ids are of that.
func (i *installation) wantReduced() {
	i.t.Helper()
	out := i.klaxon("events", "--since", "1h", "--all", "-o", "ndjson")
	n := 0
	for line := range bytes.Lines(out) {
		var e query.Event
		if err := json.Unmarshal(line, &e); err != nil {
			i.t.Fatal(err)
		}
		if e.Event.ID("prod-1") != e.ID {
			i.t.Errorf("the id %s is not of the event that is stored", e.ID)
		}
		for _, path := range []string{"requestURI", "objectRef.name", "responseStatus.message"} {
			if !e.Event.Reduced().Concerns(path) {
				i.t.Errorf("the event %s does not say that %s was cut: %v", e.Event.AuditID, path, e.Event.Reduced())
			}
		}
		n++
	}
	if n != largeEvents {
		i.t.Errorf("%d events are stored, want %d", n, largeEvents)
	}
}

// postLargest writes the body as it is sent: it is never in memory as a whole.
func (i *installation) postLargest() (length int64, took time.Duration, code int) {
	i.t.Helper()
	body, length := largestBody()
	token, err := os.ReadFile(i.sender.TokenFile)
	if err != nil {
		i.t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, i.webhook()+"?timeout=30s", body)
	if err != nil {
		i.t.Fatal(err)
	}
	req.ContentLength = length
	req.Header.Set("Authorization", "Bearer "+strings.Fields(string(token))[0])
	start := time.Now()
	resp, err := i.client().Do(req)
	if err != nil {
		i.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, resp.Body)
	return length, time.Since(start), resp.StatusCode
}

// largestBody returns the body and its length.
func largestBody() (io.Reader, int64) {
	ordinary, one := largeText(largeBytes), largeText(largest)
	parts := []string{`{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[`}
	for n := range largeEvents {
		if n > 0 {
			parts = append(parts, ",")
		}
		text := ordinary
		if n == largestAt {
			text = one
		}
		parts = append(parts, largeEvent(n, text)...)
	}
	parts = append(parts, "]}\n")
	var length int64
	readers := make([]io.Reader, len(parts))
	for n, part := range parts {
		length += int64(len(part))
		readers[n] = strings.NewReader(part)
	}
	return io.MultiReader(readers...), length
}

// largeText is a third of what makes an event so large: an API server writes it
// three times, six bytes for one.
func largeText(size int) string { return strings.Repeat(`\u0026`, size/3/len(`\u0026`)) }

// largeEvent is what an API server records of a request that it refused, in
// parts that share the text.
func largeEvent(n int, text string) []string {
	at := time.Now().UTC().Format("2006-01-02T15:04:05.000000Z")
	return []string{
		fmt.Sprintf(`{"level":"Metadata","auditID":"large-%d","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/default/pods/`, n), text,
		`","verb":"get","user":{"username":"system:anonymous","groups":["system:unauthenticated"]},"sourceIPs":["192.0.2.1"],` +
			`"objectRef":{"resource":"pods","namespace":"default","name":"`, text,
		`","apiVersion":"v1"},"responseStatus":{"metadata":{},"status":"Failure","message":"pods \"`, text,
		`\" is forbidden","reason":"Forbidden","code":403},"requestReceivedTimestamp":"` + at + `","stageTimestamp":"` + at + `",` +
			`"annotations":{"authorization.k8s.io/decision":"forbid"}}`,
	}
}

// peakMemory returns the most that was ever resident of serve, in bytes; the
// engine is a process of its own.
func (i *installation) peakMemory() int64 {
	i.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", i.serve.Process.Pid))
	if err != nil {
		i.t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if size, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(size), " kB"), 10, 64)
			if err != nil {
				i.t.Fatal(err)
			}
			return kib << 10
		}
	}
	i.t.Fatal("the kernel does not tell the peak memory")
	return 0
}
