package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/ingest"
	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/stream"
	"github.com/klaxon-dev/klaxon/stream/local"
)

// entrance is the receiver on the log, on a disk of the test's, with a group
// that consumes the events.
type entrance struct {
	t        *testing.T
	log      *local.Log
	receiver *ingest.Receiver
	claim    stream.Claim // of the group
	taken    []string     // audit ids of the events that were acknowledged

	mu  sync.Mutex
	now time.Time
}

const (
	entranceToken  = "0123456789abcdef0123456789abcdef"
	entranceRecord = 64 << 10 // bytes of the largest record
)

func enter(t *testing.T, disk vfs.FS, c local.Config) *entrance {
	t.Helper()
	e := &entrance{t: t, log: openEvents(t, disk, c), now: time.Now()}
	e.consume()
	dir, quiet := t.TempDir(), slog.New(slog.DiscardHandler)
	if err := os.WriteFile(ingest.TokenPath(dir, "prod"), []byte(entranceToken), 0o600); err != nil {
		t.Fatal(err)
	}
	senders, err1 := ingest.NewRegistry(dir, nil, e.clock, quiet)
	redactor, err2 := audit.NewRedactor([]byte(entranceToken))
	sealer, err3 := ingest.NewSealer([]byte(entranceToken))
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	config := ingest.Config{}
	config.SetDefaults()
	receiver, err := ingest.NewReceiver(ingest.Options{
		Producer: e.log, Senders: senders, Redactor: redactor, Sealer: sealer,
		Limits: config.Limits, Now: e.clock, Logger: quiet, Registerer: prometheus.NewRegistry(),
	})
	if err != nil {
		t.Fatal(err)
	}
	e.receiver = receiver
	return e
}

func openEvents(t *testing.T, disk vfs.FS, c local.Config) *local.Log {
	t.Helper()
	c.Compression, c.MaxRecordBytes = local.CompressionNone, entranceRecord
	log, err := local.Open("log", c, local.Options{
		Topics: map[string]local.TopicConfig{topic.Events: {Partitions: 1}, topic.DeadLetters: {Partitions: 1}},
		Logger: slog.New(slog.DiscardHandler),
		FS:     disk,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	return log
}

// consume makes the test the owner of the events.
func (e *entrance) consume() {
	e.t.Helper()
	claims := make(chan stream.Claim, 1)
	go func() {
		_ = e.log.Consume(e.t.Context(), topic.Events, "slow", func(ctx context.Context, c stream.Claim) error {
			claims <- c
			<-ctx.Done()
			return nil
		})
	}()
	e.claim = <-claims
}

func (e *entrance) clock() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.now
}

// post sends an event as an API server does. The log's last refusal, which the
// receiver trusts for a second, is of long ago.
func (e *entrance) post() *httptest.ResponseRecorder {
	e.t.Helper()
	e.mu.Lock()
	e.now = e.now.Add(time.Minute)
	e.mu.Unlock()
	id := fmt.Sprintf("event-%d", len(e.taken))
	body := fmt.Sprintf(`{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[{"level":"Metadata","auditID":%q,`+
		`"stage":"ResponseComplete","userAgent":%q,"stageTimestamp":"2026-11-21T02:16:47.703474Z"}]}`, id, strings.Repeat("x", entranceRecord/2))
	req := httptest.NewRequest(http.MethodPost, "/webhook/prod", strings.NewReader(body))
	req.Header.Set("Authorization", "Bearer "+entranceToken)
	w := httptest.NewRecorder()
	e.receiver.ServeHTTP(w, req)
	if w.Code == http.StatusOK {
		e.taken = append(e.taken, id)
	}
	return w
}

// accepted posts n events that are acknowledged.
func (e *entrance) accepted(n int) {
	e.t.Helper()
	for range n {
		if w := e.post(); w.Code != http.StatusOK {
			e.t.Fatalf("after %d events one was answered with %d", len(e.taken), w.Code)
		}
	}
}

// refused posts an event that is to come again.
func (e *entrance) refused() {
	e.t.Helper()
	w := e.post()
	if after := w.Header().Get("Retry-After"); w.Code != http.StatusServiceUnavailable || after != "5" {
		e.t.Fatalf("after %d events one was answered with %d, Retry-After %q: want 503 and 5", len(e.taken), w.Code, after)
	}
}

// checkHeld wants every acknowledged event in a log.
func (e *entrance) checkHeld(claim stream.Claim) {
	e.t.Helper()
	held := map[string]bool{}
	for next := claim.Position().Offset; next < claim.End(); {
		records, err := claim.Read(e.t.Context(), next, 1<<20)
		if err != nil {
			e.t.Fatal(err)
		}
		for i := range records {
			var event audit.Event
			if err := audit.Scan(records[i].Value, &event); err != nil {
				e.t.Fatal(err)
			}
			held[event.AuditID] = true
		}
		next = records[len(records)-1].Offset + 1
	}
	for _, id := range e.taken {
		if !held[id] {
			e.t.Errorf("%s was acknowledged and is not there", id)
		}
	}
}

// The log's bound is reached by what a group has not consumed: API servers are
// told to come again, and nothing gives way, until the group goes on.
func TestFullLogIsRefused(t *testing.T) {
	const bytes = 20 * entranceRecord
	e := enter(t, vfs.NewMem(), local.Config{MaxBytes: bytes})
	for e.log.Healthy() == nil {
		e.accepted(1)
	}
	for range 3 {
		e.refused()
	}
	if n := len(e.taken); n < bytes/entranceRecord {
		t.Errorf("%d events of half the largest record fill %d bytes", n, bytes)
	}
	e.checkHeld(e.claim)
	if err := e.claim.Commit(t.Context(), stream.Position{Offset: e.claim.End()}); err != nil {
		t.Fatal(err)
	}
	e.taken = nil
	e.accepted(5)
	e.checkHeld(e.claim)
}

// The disk has too little room: API servers are told to come again until there
// is some.
func TestFullDiskIsRefused(t *testing.T) {
	disk := vfs.NewMem()
	free := func(bytes uint64) { disk.TestingSetDiskUsage(vfs.DiskUsage{TotalBytes: 100 << 30, AvailBytes: bytes}) }
	free(50 << 30)
	e := enter(t, disk, local.Config{})
	e.accepted(5)
	free(100 << 20)
	for range 3 {
		e.refused()
	}
	free(50 << 30)
	e.accepted(5)
	e.checkHeld(e.claim)
}

// The disk's last byte is taken by somebody else, and writes fail: nothing more
// is acknowledged, and what was is there after a restart.
func TestFailedDiskIsRefused(t *testing.T) {
	disk := vfs.NewCrashableMem()
	full := &errorfs.Toggle{Injector: errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			return syscall.ENOSPC
		}
		return nil
	})}
	e := enter(t, errorfs.Wrap(disk, full), local.Config{})
	e.accepted(5)
	full.On()
	for range 3 {
		e.refused()
	}
	if err := e.log.Healthy(); !errors.Is(err, local.ErrFailed) {
		t.Errorf("health: %v, want ErrFailed: only a restart helps", err)
	}
	after := &entrance{t: t, log: openEvents(t, disk.CrashClone(vfs.CrashCloneCfg{}), local.Config{}), taken: e.taken}
	after.consume()
	after.checkHeld(after.claim)
}
