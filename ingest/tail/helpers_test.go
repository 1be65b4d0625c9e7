package tail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/klaxon-dev/klaxon/audit"
)

// event is the line of an event whose auditID is id.
func event(id string) string {
	return `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"` + id + `","stage":"ResponseComplete",` +
		`"requestURI":"/api/v1/namespaces/default/pods/p","verb":"get","user":{"username":"alice","groups":["system:authenticated"]},` +
		`"sourceIPs":["192.0.2.1"],"userAgent":"kubectl/v1.36.3","objectRef":{"resource":"pods","namespace":"default","name":"p","apiVersion":"v1"},` +
		`"responseStatus":{"metadata":{},"code":200},"requestReceivedTimestamp":"2026-11-21T02:16:47.703474Z","stageTimestamp":"2026-11-21T02:16:47.709999Z"}` + "\n"
}

// receiver keeps what it is sent, as the receiver of serve does: the auditIDs of
// events, and as text what is no list.
type receiver struct {
	t       *testing.T
	mu      sync.Mutex
	ids     []string
	letters []string
	posts   int
	// refuse, if set, is asked before a body is taken.
	refuse func(ctx context.Context, post int) error
}

var auditID = regexp.MustCompile(`"auditID":"([^"]*)"`)

func (r *receiver) post(ctx context.Context, body []byte) error {
	r.mu.Lock()
	r.posts++
	post, refuse := r.posts, r.refuse
	r.mu.Unlock()
	if refuse != nil {
		if err := refuse(ctx, post); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	items := audit.NewSplitterBytes(bytes.Clone(body), audit.SplitLimits{})
	for n := 0; ; n++ {
		item, err := items.Next()
		var bad *audit.BodyError
		switch {
		case err == nil:
			r.ids = append(r.ids, string(auditID.FindSubmatch(item)[1]))
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &bad) && n == 0:
			r.letters = append(r.letters, string(body))
			return nil
		default:
			r.t.Errorf("a body cannot be read: %v\n%.1000s", err, body)
			return nil
		}
	}
}

// took returns, joined, what came since the last call.
func (r *receiver) took() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer func() { r.ids = nil }()
	return strings.Join(r.ids, " ")
}

// posted returns how many bodies came, refused or not.
func (r *receiver) posted() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.posts
}

// logged is a log that many goroutines write.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// tailTest is a directory with an audit.log, and what follows it.
type tailTest struct {
	*receiver
	dir     string
	file    string
	state   string
	from    From
	once    bool
	retry   time.Duration
	log     *logged
	metrics *prometheus.Registry
}

func newTailTest(t *testing.T) *tailTest {
	t.Helper()
	dir := t.TempDir()
	return &tailTest{
		receiver: &receiver{t: t}, dir: dir, file: filepath.Join(dir, "audit.log"), state: filepath.Join(dir, "state", "position.json"),
		from: FromStart, once: true, log: &logged{},
	}
}

func (t *tailTest) run(ctx context.Context) (Stats, error) {
	t.t.Helper()
	state, err := OpenState(t.state)
	if err != nil {
		return Stats{}, err
	}
	defer state.Close()
	t.metrics = prometheus.NewRegistry()
	return Run(ctx, Config{
		File: t.file, State: state, From: t.from, Once: t.once, Post: t.post, MaxRetry: t.retry,
		Logger: slog.New(slog.NewTextHandler(t.log, nil)), Now: time.Now, Registerer: t.metrics,
	})
}

// wantOnce reads to the end and wants the events that come.
func (t *tailTest) wantOnce(want string) Stats {
	t.t.Helper()
	stats, err := t.run(t.t.Context())
	if err != nil {
		t.t.Fatal(err)
	}
	if got := t.took(); got != want {
		t.t.Errorf("got %q, want %q\n%s", got, want, t.log)
	}
	return stats
}

func (t *tailTest) must(err error) {
	t.t.Helper()
	if err != nil {
		t.t.Fatal(err)
	}
}

// path is a file of the directory.
func (t *tailTest) path(name string) string { return filepath.Join(t.dir, name) }

// write appends to a file.
func (t *tailTest) write(name string, text ...string) {
	t.t.Helper()
	f, err := os.OpenFile(t.path(name), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	t.must(err)
	_, err = f.WriteString(strings.Join(text, ""))
	t.must(err)
	t.must(f.Close())
}

// events appends events to audit.log.
func (t *tailTest) events(ids string) {
	t.t.Helper()
	for _, id := range strings.Fields(ids) {
		t.write("audit.log", event(id))
	}
}

func (t *tailTest) rename(from, to string) {
	t.t.Helper()
	t.must(os.Rename(t.path(from), t.path(to)))
}

func (t *tailTest) remove(name string) {
	t.t.Helper()
	t.must(os.Remove(t.path(name)))
}

// copy copies a file, as logrotate does before it cuts it.
func (t *tailTest) copy(from, to string) {
	t.t.Helper()
	text, err := os.ReadFile(t.path(from))
	t.must(err)
	t.must(os.WriteFile(t.path(to), text, 0o600))
}

func (t *tailTest) cut(name string) {
	t.t.Helper()
	t.must(os.Truncate(t.path(name), 0))
}

// rotated is the name that an API server gives to a file at a minute.
func rotated(minute int) string {
	return fmt.Sprintf("audit-2026-11-21T12-%02d-00.000.log", minute)
}
