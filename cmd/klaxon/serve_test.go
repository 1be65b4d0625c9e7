package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/store/engine"
)

// binary is the program under test, built once.
var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "klaxon-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary = filepath.Join(dir, "klaxon")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	if _, err := engine.Fetch(context.Background(), "", engine.FetchOptions{}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// installation is a data directory and the serve that runs on it.
type installation struct {
	t      *testing.T
	dir    string
	serve  *exec.Cmd
	stdout *bytes.Buffer
	log    *bytes.Buffer
	sender addedSender
}

type addedSender struct {
	TokenFile string `json:"token_file"`
	URL       string `json:"url"`
}

const config = `
ingest: {listen: "127.0.0.1:0"}
api: {listen: "127.0.0.1:0"}
metrics: {listen: "127.0.0.1:0"}
log: {level: debug}
`

func install(t *testing.T) *installation { return installWith(t, config) }

func installWith(t *testing.T, config string) *installation {
	t.Helper()
	dir, err := os.MkdirTemp("", "kx-") // short: it holds a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.WriteFile(filepath.Join(dir, "klaxon.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	i := &installation{t: t, dir: dir}
	i.start()
	if err := json.Unmarshal(i.klaxon("sender", "add", "prod-1", "-o", "json"), &i.sender); err != nil {
		t.Fatal(err)
	}
	return i
}

// start runs serve and waits until it answers.
func (i *installation) start() {
	i.t.Helper()
	_ = os.Remove(filepath.Join(i.dir, "data", "client.yaml"))
	i.serve = exec.Command(binary, "serve", "--config", filepath.Join(i.dir, "klaxon.yaml"))
	i.serve.Env = i.env()
	i.stdout, i.log = &bytes.Buffer{}, &bytes.Buffer{}
	i.serve.Stdout, i.serve.Stderr = i.stdout, i.log
	if err := i.serve.Start(); err != nil {
		i.t.Fatal(err)
	}
	i.t.Cleanup(func() {
		_ = i.serve.Process.Kill()
		_ = i.serve.Wait()
		if i.t.Failed() {
			i.t.Logf("the end of serve's log:\n%s", lastLines(i.log.String(), 60))
		}
	})
	i.until("serve is ready", func() error {
		_, err := i.try("findings")
		return err
	})
}

// stop ends serve by a signal and waits for it.
func (i *installation) stop(signal syscall.Signal) {
	i.t.Helper()
	if err := i.serve.Process.Signal(signal); err != nil {
		i.t.Fatal(err)
	}
	err := i.serve.Wait()
	if signal != syscall.SIGKILL && err != nil {
		i.t.Errorf("serve ended with %v after %v", err, signal)
	}
}

func (i *installation) env() []string {
	return append(os.Environ(), "KLAXON_DATA_DIR="+filepath.Join(i.dir, "data"))
}

// try runs a command of klaxon.
func (i *installation) try(args ...string) ([]byte, error) {
	cmd := exec.Command(binary, args...)
	cmd.Env = i.env()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("klaxon %s: %w: %s", strings.Join(args, " "), err, stderr.String())
	}
	return out, nil
}

func (i *installation) klaxon(args ...string) []byte {
	i.t.Helper()
	out, err := i.try(args...)
	if err != nil {
		i.t.Fatal(err)
	}
	return out
}

// until asks again and again until there is no error.
func (i *installation) until(what string, ask func() error) {
	i.t.Helper()
	deadline := time.Now().Add(90 * time.Second)
	for {
		err := ask()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			i.t.Fatalf("%s: %v", what, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// post sends a body to the webhook as an API server would and returns the status.
func (i *installation) post(body []byte) int {
	i.t.Helper()
	token, err := os.ReadFile(i.sender.TokenFile)
	if err != nil {
		i.t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, i.webhook()+"?timeout=30s", bytes.NewReader(body))
	if err != nil {
		i.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+strings.Fields(string(token))[0])
	req.Header.Set("Content-Type", "application/json")
	resp, err := i.client().Do(req)
	if err != nil {
		i.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

func (i *installation) client() *http.Client {
	i.t.Helper()
	ca, err := os.ReadFile(filepath.Join(i.dir, "data", "tls", "ca.crt"))
	if err != nil {
		i.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		i.t.Fatal("the CA's file holds no certificate")
	}
	return &http.Client{
		Timeout:   30 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true},
	}
}

// said returns an address that serve printed at its start.
func (i *installation) said(what string) string {
	i.t.Helper()
	m := regexp.MustCompile(`(?m)^  ` + what + ` +(\S+)$`).FindStringSubmatch(i.stdout.String())
	if m == nil {
		i.t.Fatalf("serve does not say where its %s is:\n%s", what, i.stdout)
	}
	return m[1]
}

func (i *installation) webhook() string {
	return strings.Replace(i.said("webhook"), "{cluster}", "prod-1", 1)
}

// posts returns the recorded bodies of the webhook, in the order of the index.
func posts(t *testing.T) [][]byte {
	t.Helper()
	const dir = "../../testdata/webhook-posts/"
	index, err := os.ReadFile(dir + "INDEX.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var bodies [][]byte
	for _, line := range strings.Split(strings.TrimSpace(string(index)), "\n")[1:] {
		name, _, _ := strings.Cut(line, "\t")
		body, err := os.ReadFile(dir + name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, ".gz") {
			z, err := gzip.NewReader(bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			if body, err = io.ReadAll(z); err != nil {
				t.Fatal(err)
			}
		}
		bodies = append(bodies, body)
	}
	return bodies
}

// ids returns the ids of the distinct events of the bodies, sorted, as the
// installation's key makes them.
func (i *installation) ids(bodies [][]byte) []string {
	i.t.Helper()
	key, err := os.ReadFile(filepath.Join(i.dir, "data", "redaction.key"))
	if err != nil {
		i.t.Fatal(err)
	}
	redactor, err := audit.NewRedactor(bytes.TrimSpace(key))
	if err != nil {
		i.t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, body := range bodies {
		var list struct {
			Items []json.RawMessage `json:"items"`
		}
		if err := json.Unmarshal(body, &list); err != nil {
			i.t.Fatal(err)
		}
		for _, item := range list.Items {
			var e audit.Event
			if err := audit.Scan(item, &e); err != nil {
				i.t.Fatal(err)
			}
			if _, err := redactor.Redact(item, &e); err != nil {
				i.t.Fatal(err)
			}
			seen[e.ID("prod-1").String()] = true
		}
	}
	var ids []string
	for id := range seen {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// stored returns the ids of all rows that klaxon events prints, sorted.
func (i *installation) stored() ([]string, error) {
	out, err := i.try("events", "--since", "2000-01-01T00:00:00Z", "--all", "-o", "ndjson")
	if err != nil {
		return nil, err
	}
	var ids []string
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var e struct {
			Cluster string `json:"cluster"`
			ID      string `json:"event_id"`
		}
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return nil, err
		}
		if e.Cluster != "prod-1" {
			return nil, fmt.Errorf("an event of cluster %q", e.Cluster)
		}
		ids = append(ids, e.ID)
	}
	slices.Sort(ids)
	return ids, lines.Err()
}

func (i *installation) wantStored(want []string) {
	i.t.Helper()
	i.until("the store holds what was sent", func() error {
		got, err := i.stored()
		if err != nil {
			return err
		}
		if diff := cmp.Diff(want, got); diff != "" {
			return fmt.Errorf("%d rows, want %d; (-want +got):\n%s", len(got), len(want), lastLines(diff, 20))
		}
		return nil
	})
}

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

// drained waits until the store has taken all that the log holds.
func (i *installation) drained() {
	i.t.Helper()
	i.until("the store has caught up", func() error {
		for line := range strings.Lines(string(i.metrics())) {
			if strings.HasPrefix(line, "klaxon_store_lag_records{") && !strings.HasSuffix(line, " 0\n") {
				return errors.New(line)
			}
		}
		return nil
	})
}

func (i *installation) metrics() []byte {
	i.t.Helper()
	resp, err := http.Get(i.said("metrics"))
	if err != nil {
		i.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		i.t.Fatalf("metrics: %d, %v", resp.StatusCode, err)
	}
	return text
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

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
