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
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
	stdout *written
	log    *written
	sender addedSender
}

type addedSender struct {
	TokenFile string `json:"token_file"`
	URL       string `json:"url"`
}

// written is what a process has written so far. Its methods are safe for
// concurrent use.
type written struct {
	mu   sync.Mutex
	text []byte
}

func (w *written) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text = append(w.text, p...)
	return len(p), nil
}

func (w *written) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(w.text)
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
	t.Cleanup(i.end)
	i.start()
	if err := json.Unmarshal(i.klaxon("sender", "add", "prod-1", "-o", "json"), &i.sender); err != nil {
		t.Fatal(err)
	}
	return i
}

// start runs serve and waits until it answers.
func (i *installation) start() {
	i.t.Helper()
	i.launch()
	i.until("serve is ready", i.ready)
}

// launch runs serve.
func (i *installation) launch() {
	i.t.Helper()
	_ = os.Remove(filepath.Join(i.dir, "data", "client.yaml"))
	i.serve = exec.Command(binary, "serve", "--config", filepath.Join(i.dir, "klaxon.yaml"))
	i.serve.Env = i.env()
	i.stdout, i.log = &written{}, &written{}
	i.serve.Stdout, i.serve.Stderr = i.stdout, i.log
	if err := i.serve.Start(); err != nil {
		i.t.Fatal(err)
	}
}

// ready returns why serve does not take requests yet.
func (i *installation) ready() error {
	metrics, err := i.address("metrics")
	if err != nil {
		return err
	}
	resp, err := http.Get(strings.TrimSuffix(metrics, "/metrics") + "/readyz")
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(string(text))
	}
	return err
}

// end kills serve and, after a failure, shows what it said last.
func (i *installation) end() {
	if i.serve == nil || i.serve.Process == nil {
		return
	}
	_ = i.serve.Process.Kill()
	_ = i.serve.Wait()
	if i.t.Failed() {
		i.t.Logf("the end of serve's log:\n%s", lastLines(i.log.String(), 60))
	}
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
	i.within(90*time.Second, 100*time.Millisecond, what, ask)
}

func (i *installation) within(patience, pause time.Duration, what string, ask func() error) {
	i.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := ask()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			i.t.Fatalf("%s: %v", what, err)
		}
		time.Sleep(pause)
	}
}

// post sends a body to the webhook as an API server would and returns the status.
func (i *installation) post(body []byte) int {
	i.t.Helper()
	code, _ := i.answer(body)
	return code
}

// answer sends a body as post does and returns the status and header of the
// answer.
func (i *installation) answer(body []byte) (int, http.Header) {
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
	return resp.StatusCode, resp.Header
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
	address, err := i.address(what)
	if err != nil {
		i.t.Fatal(err)
	}
	return address
}

func (i *installation) address(what string) (string, error) {
	m := regexp.MustCompile(`(?m)^  ` + what + ` +(\S+)$`).FindStringSubmatch(i.stdout.String())
	if m == nil {
		return "", fmt.Errorf("serve does not say where its %s is:\n%s", what, i.stdout)
	}
	return m[1], nil
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
	reducer := newReducer(i.t, key)
	seen := map[string]bool{}
	for _, body := range bodies {
		for _, item := range itemsOf(i.t, body) {
			id, err := idOf(reducer, item)
			if err != nil {
				i.t.Fatal(err)
			}
			seen[id.String()] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// newReducer does to events what serve does by default before it names them.
func newReducer(t *testing.T, key []byte) *audit.Reducer {
	t.Helper()
	redactor, err := audit.NewRedactor(bytes.TrimSpace(key))
	if err != nil {
		t.Fatal(err)
	}
	reducer, err := audit.NewReducer(redactor, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return reducer
}

func itemsOf(t *testing.T, body []byte) []json.RawMessage {
	t.Helper()
	var list struct {
		Items []json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal(body, &list); err != nil {
		t.Fatal(err)
	}
	return list.Items
}

func idOf(reducer *audit.Reducer, item []byte) (audit.EventID, error) {
	var e audit.Event
	if err := audit.Scan(item, &e); err != nil {
		return audit.EventID{}, err
	}
	if _, _, err := reducer.Reduce(item, &e); err != nil {
		return audit.EventID{}, err
	}
	return e.ID("prod-1"), nil
}

// each runs a command of klaxon and hands over the lines that it prints.
func (i *installation) each(do func(line []byte) error, args ...string) (err error) {
	cmd := exec.Command(binary, args...)
	cmd.Env = i.env()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 64<<20)
	for err == nil && lines.Scan() {
		err = do(lines.Bytes())
	}
	_, _ = io.Copy(io.Discard, out) // or the command could not end
	if err = errors.Join(err, lines.Err(), cmd.Wait()); err != nil {
		return fmt.Errorf("klaxon %s: %w: %s", strings.Join(args, " "), err, &stderr)
	}
	return nil
}

// stored returns the ids of all rows that klaxon events prints, sorted.
func (i *installation) stored() ([]string, error) {
	var ids []string
	err := i.each(func(line []byte) error {
		var e struct {
			Cluster string `json:"cluster"`
			ID      string `json:"event_id"`
		}
		if err := json.Unmarshal(line, &e); err != nil {
			return err
		}
		if e.Cluster != "prod-1" {
			return fmt.Errorf("an event of cluster %q", e.Cluster)
		}
		ids = append(ids, e.ID)
		return nil
	}, "events", "--since", "2000-01-01T00:00:00Z", "--all", "-o", "ndjson")
	slices.Sort(ids)
	return ids, err
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

// drained waits until every stage has taken all that the log holds for it.
func (i *installation) drained() {
	i.t.Helper()
	still := 0
	i.until("the stages have caught up", func() error {
		text, err := i.scrape()
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(text)) {
			if strings.HasPrefix(line, "klaxon_log_lag_records{") && !strings.HasSuffix(line, " 0\n") {
				still = 0
				return errors.New(line)
			}
		}
		if still++; still < 3 { // one of them may have handed on to one that was asked before
			return errors.New("not for long enough")
		}
		return nil
	})
}

func (i *installation) metrics() []byte {
	i.t.Helper()
	text, err := i.scrape()
	if err != nil {
		i.t.Fatal(err)
	}
	return text
}

func (i *installation) scrape() ([]byte, error) {
	address, err := i.address("metrics")
	if err != nil {
		return nil, err
	}
	resp, err := http.Get(address)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("metrics: %s", resp.Status)
	}
	return text, err
}

// sample returns the value of a metric, with its labels as they are written; 0
// if there is none.
func (i *installation) sample(metric string) (float64, error) {
	text, err := i.scrape()
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, metric+" "); ok {
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	return 0, nil
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
