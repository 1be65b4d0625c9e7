package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/klaxon-dev/klaxon/store/engine"
)

// What API servers posted, retries and all, is in the store once each: before
// and after a restart, a crash, and the same posts again.
func TestRecordedPosts(t *testing.T) {
	i := install(t)
	bodies := posts(t)
	if len(bodies) < 40 {
		t.Fatalf("%d recorded bodies", len(bodies))
	}
	want := i.ids(bodies)
	for n, body := range bodies {
		if code := i.post(body); code != http.StatusOK {
			t.Fatalf("body %d was answered with %d", n, code)
		}
	}
	i.wantStored(want)
	t.Logf("%d events, each once", len(want))

	i.stop(syscall.SIGTERM)
	i.start()
	i.wantStored(want)
	for _, body := range bodies[:10] {
		if code := i.post(body); code != http.StatusOK {
			t.Fatalf("a body that came again was answered with %d", code)
		}
	}
	i.stop(syscall.SIGKILL)
	i.start()
	for _, body := range bodies[10:20] {
		if code := i.post(body); code != http.StatusOK {
			t.Fatalf("a body that came again was answered with %d", code)
		}
	}
	i.drained()
	i.wantStored(want)
	i.checkMetrics()
}

// checkMetrics holds the names, types and helps of all metrics.
func (i *installation) checkMetrics() {
	i.t.Helper()
	text := i.metrics()
	problems, err := promlint.New(bytes.NewReader(text)).Lint()
	if err != nil {
		i.t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "klaxon_") {
			i.t.Errorf("metric %s: %s", p.Metric, p.Text)
		}
	}
	if !strings.Contains(string(text), `klaxon_ingest_events_total{cluster="prod-1"}`) {
		i.t.Error("the events of the cluster are not counted")
	}
}

// A ClickHouse server is used by the same code as the embedded engine. The
// engine run by itself is one.
func TestServerAsStore(t *testing.T) {
	dir, err := os.MkdirTemp("", "kx-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	const password = "0123456789abcdef0123456789abcdef"
	if err := os.WriteFile(filepath.Join(dir, "password"), []byte(password), 0o600); err != nil {
		t.Fatal(err)
	}
	server := exec.Command(binary, "engine", "run", "--path", filepath.Join(dir, "db"), "--listen", "127.0.0.1:0",
		"--password-file", filepath.Join(dir, "password"))
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Signal(syscall.SIGTERM)
		_ = server.Wait()
	})
	var ready engine.Readiness
	if err := json.NewDecoder(out).Decode(&ready); err != nil {
		t.Fatal(err)
	}
	i := installWith(t, config+fmt.Sprintf("store: {kind: clickhouse, dsn: \"http://default:%s@%s/default\"}\n", password, ready.Address))
	bodies := posts(t)[30:]
	want := i.ids(bodies)
	for _, body := range bodies {
		if code := i.post(body); code != http.StatusOK {
			t.Fatalf("answered with %d", code)
		}
	}
	i.wantStored(want)
	if strings.Contains(i.log.String(), password) {
		t.Error("the log holds the store's password")
	}
}

// Recordings age: what was recorded years ago, or by a clock that is wrong, is
// stored and found as if it were of today.
func TestRecordingsOfOtherYears(t *testing.T) {
	i := install(t)
	item := `{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[{"level":"Metadata","auditID":"y","stage":"ResponseComplete","requestURI":"/api/v1/secrets","verb":"list","user":{"username":"jane"},"sourceIPs":["192.0.2.1"],"objectRef":{"resource":"secrets","apiVersion":"v1"},"responseStatus":{"metadata":{},"code":200},"requestReceivedTimestamp":"YEAR-03-01T10:00:05.000000Z","stageTimestamp":"YEAR-03-01T10:00:05.000000Z"}]}`
	var bodies [][]byte
	for _, year := range []string{"2005", "2019", "2024", "2026", "2061"} {
		bodies = append(bodies, []byte(strings.ReplaceAll(item, "YEAR", year)))
	}
	want := i.ids(bodies)
	for _, body := range append(bodies, bodies...) {
		if code := i.post(body); code != http.StatusOK {
			t.Fatalf("answered with %d", code)
		}
	}
	i.wantStored(want)
	for reason, year := range map[string]string{"too_old": "2005-", "too_far_ahead": "2061-"} {
		out := i.klaxon("events", "--time-reason", reason, "-o", "ndjson")
		if !bytes.Contains(out, []byte(`"time_reason":"`+reason+`"`)) || !bytes.Contains(out, []byte(`"stageTimestamp":"`+year)) {
			t.Errorf("%s is not said of %s:\n%s", reason, year, out)
		}
		if metric := `klaxon_store_misdated_events_total{reason="` + reason + `"} `; !bytes.Contains(i.metrics(), []byte(metric)) || bytes.Contains(i.metrics(), []byte(metric+"0\n")) {
			t.Errorf("%sis not counted", metric)
		}
	}
	i.until("each is found", func() error {
		out, err := i.try("findings", "--since", "2000-01-01T00:00:00Z", "--all", "-o", "ndjson")
		if err != nil {
			return err
		}
		// The time of one that lies ahead is taken as that of its receipt.
		if n := bytes.Count(out, []byte(`"rule":"secret-list-cluster-wide"`)); n != len(want) {
			return fmt.Errorf("%d findings, want %d:\n%s", n, len(want), out)
		}
		return nil
	})
}

func TestProbes(t *testing.T) {
	i := install(t)
	base := strings.TrimSuffix(i.said("metrics"), "/metrics")
	for _, path := range []string{"/livez", "/readyz"} {
		resp, err := http.Get(base + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %d: %s", path, resp.StatusCode, body)
		}
	}
	// Secrets lie in files that their owner alone can read.
	for _, name := range []string{"redaction.key", "admin.token", "client.yaml", "tls/server.key", "tls/ca.key", "senders/prod-1.token"} {
		info, err := os.Stat(filepath.Join(i.dir, "data", name))
		if err != nil {
			t.Error(err)
		} else if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
	}
}
