package ingest

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/stream"
)

func testLogger(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

// clock is a time that a test moves, while others read it.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// lockedBuffer is a log that many goroutines write.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// memoryLog is a producer that keeps what it is given.
type memoryLog struct {
	mu      sync.Mutex
	records map[string][]stream.Record
	appends int
	// before, if set, may refuse an append or let it wait.
	before func(ctx context.Context, name string, records []stream.Record) error
}

const memoryPartitions = 4

func (l *memoryLog) Partitions(string) int { return memoryPartitions }

func (l *memoryLog) Append(ctx context.Context, name string, records []stream.Record) error {
	l.mu.Lock()
	before := l.before
	l.mu.Unlock()
	if before != nil {
		if err := before(ctx, name, records); err != nil {
			return err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.records == nil {
		l.records = map[string][]stream.Record{}
	}
	for _, r := range records {
		if r.Partition < 0 || r.Partition >= memoryPartitions {
			return fmt.Errorf("partition %d", r.Partition)
		}
		r.Key, r.Value = bytes.Clone(r.Key), bytes.Clone(r.Value) // the log does not keep the slices
		l.records[name] = append(l.records[name], r)
	}
	l.appends++
	return nil
}

func (l *memoryLog) refuse(before func(context.Context, string, []stream.Record) error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.before = before
}

// events returns the events of the log, or its heartbeats.
func (l *memoryLog) events(t testing.TB, kind topic.Kind) []topic.Event {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var events []topic.Event
	for i := range l.records[topic.Events] {
		e, err := topic.DecodeEvent(&l.records[topic.Events][i])
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind == kind {
			events = append(events, e)
		}
	}
	return events
}

// letters returns the dead letters and what is sealed in them.
func (l *memoryLog) letters(t testing.TB) (letters []topic.DeadLetter, texts []string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.records[topic.DeadLetters] {
		d, err := topic.DecodeDeadLetter(&l.records[topic.DeadLetters][i])
		if err != nil {
			t.Fatal(err)
		}
		text, err := testSealer(t, testKey).Open(&d)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(topic.LetterReasons(), d.Reason) {
			t.Errorf("reason %q is on no list", d.Reason)
		}
		letters, texts = append(letters, d), append(texts, string(text))
	}
	return letters, texts
}

// receiverTest is a receiver behind its real server, with one sender: cluster
// prod, tokenA.
type receiverTest struct {
	t        testing.TB
	receiver *Receiver
	log      *memoryLog
	logged   *lockedBuffer
	metrics  *prometheus.Registry
	senders  string // directory of tokens
	url      string
	caFile   string
	client   *http.Client
	server   *Server
}

type receiverSetup struct {
	config Config
	log    stream.Producer // nil: a memoryLog
	now    func() time.Time
}

func newReceiverTest(t testing.TB, change ...func(*receiverSetup)) *receiverTest {
	t.Helper()
	r := &receiverTest{t: t, log: &memoryLog{}, logged: &lockedBuffer{}, metrics: prometheus.NewRegistry(), senders: t.TempDir()}
	s := receiverSetup{config: Config{Listen: "127.0.0.1:0"}, log: r.log, now: time.Now}
	s.config.SetDefaults()
	for _, c := range change {
		c(&s)
	}
	r.setToken("prod", tokenA)
	logger := testLogger(r.logged)
	registry, err := NewRegistry(r.senders, s.config.Senders, s.now, logger)
	r.must(err)
	redactor, err := audit.NewRedactor(testKey)
	r.must(err)
	r.receiver, err = NewReceiver(Options{
		Producer: s.log, Senders: registry, Redactor: redactor, Sealer: testSealer(t, testKey),
		Limits: s.config.Limits, Now: s.now, Logger: logger, Registerer: r.metrics, Instance: s.config.Instance,
	})
	r.must(err)
	r.serve(s, logger)
	return r
}

// serve starts the server, and stops it when the test ends.
func (r *receiverTest) serve(s receiverSetup, logger *slog.Logger) {
	r.t.Helper()
	made, err := EnsureDevTLS(r.t.TempDir(), nil, time.Now())
	r.must(err)
	s.config.TLS.CertFile, s.config.TLS.KeyFile = made.CertFile, made.KeyFile
	files, err := LoadTLS(s.config.TLS, time.Now, logger)
	r.must(err)
	server, err := Listen(s.config, files, r.receiver, logger)
	r.must(err)
	r.server = server
	served := make(chan error, 1)
	go func() { served <- server.Serve() }()
	r.t.Cleanup(func() {
		r.client.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			r.t.Error(err)
		}
		if err := <-served; err != nil {
			r.t.Error(err)
		}
	})
	r.url = "https://" + server.Addr().String()
	r.caFile = made.CAFile
	r.client, err = NewReplayClient(made.CAFile)
	r.must(err)
}

func (r *receiverTest) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *receiverTest) setToken(cluster, text string) {
	r.t.Helper()
	r.must(writeFile(TokenPath(r.senders, cluster), text))
}

// http1 is a client of the same server that does not speak HTTP/2.
func (r *receiverTest) http1() *http.Client {
	r.t.Helper()
	transport := r.client.Transport.(*http.Transport).Clone()
	transport.ForceAttemptHTTP2 = false
	transport.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	transport.TLSClientConfig.NextProtos = []string{"http/1.1"}
	r.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// reply is an answer with its body read.
type reply struct {
	code   int
	proto  string
	header http.Header
	text   string
}

// postTo sends a body.
func (r *receiverTest) postTo(client *http.Client, path, token string, body io.Reader) reply {
	r.t.Helper()
	got, err := r.tryTo(client, path, token, body)
	r.must(err)
	return got
}

// tryTo is postTo where the connection may break before the answer is read.
func (r *receiverTest) tryTo(client *http.Client, path, token string, body io.Reader) (reply, error) {
	r.t.Helper()
	req, err := http.NewRequest(http.MethodPost, r.url+path, body)
	r.must(err)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return reply{code: res.StatusCode, proto: res.Proto, header: res.Header, text: string(text)}, err
}

// post sends a body as prod and wants a status.
func (r *receiverTest) post(body string, code int) reply {
	r.t.Helper()
	got := r.postTo(r.client, "/webhook/prod", tokenA, strings.NewReader(body))
	if got.code != code {
		r.t.Fatalf("got %d %s, want %d", got.code, got.text, code)
	}
	return got
}

// list is an EventList of items.
func list(items ...string) string {
	return `{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[` + strings.Join(items, ",") + "]}\n"
}

// event is an item whose auditID is id.
func event(id string) string {
	return `{"level":"Metadata","auditID":"` + id + `","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/default/pods/p","verb":"get",` +
		`"user":{"username":"alice","groups":["system:authenticated"]},"sourceIPs":["192.0.2.1"],"userAgent":"kubectl/v1.36.3",` +
		`"objectRef":{"resource":"pods","namespace":"default","name":"p","apiVersion":"v1"},"responseStatus":{"metadata":{},"code":200},` +
		`"requestReceivedTimestamp":"2026-11-21T02:16:47.703474Z","stageTimestamp":"2026-11-21T02:16:47.709999Z",` +
		`"annotations":{"authorization.k8s.io/decision":"allow","authorization.k8s.io/reason":""}}`
}

// within fails the test if done is not closed in time.
func within[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(30 * time.Second):
		t.Fatalf("%s: not within 30 s", what)
		panic("unreachable")
	}
}

func writeFile(path, text string) error {
	if err := os.WriteFile(path+".tmp", []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}
