package app

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/klaxon-dev/klaxon/ingest"
	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/stream"
)

// A server that ends by itself ends serve: nobody goes on behind a closed door.
func TestRunEndsWithAServer(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	stages, stop := context.WithCancel(context.Background())
	a := &App{
		cleanups: cleanups{logger: slog.New(slog.DiscardHandler)},
		stages:   &errgroup.Group{},
		broken:   make(chan struct{}, 1),
	}
	a.stages.Go(func() error { <-stages.Done(); return nil })
	a.cleanups.add("stages", func(context.Context) error { stop(); return a.stages.Wait() })
	gone := errors.New("the listener is gone")
	a.serve("webhook", func() error { return gone }, func(context.Context) error { return nil })
	if err := a.Run(ctx); !errors.Is(err, gone) || ctx.Err() != nil {
		t.Errorf("Run = %v, want %v", err, gone)
	}
}

func TestReadyz(t *testing.T) {
	h := newHealth(func() error { return nil }, map[string]func(context.Context) error{"log": func(context.Context) error { return nil }})
	f := func(wantCode int, wantBody string) {
		t.Helper()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
		if got := strings.TrimSpace(w.Body.String()); w.Code != wantCode || got != wantBody {
			t.Errorf("%d %s, want %d %s", w.Code, got, wantCode, wantBody)
		}
	}
	f(503, `{"log":"ok","serve":"starting"}`)
	h.serving()
	f(200, `{"log":"ok"}`)
	said := ""
	h.note("noisy_rules", func() string { return said })
	f(200, `{"log":"ok"}`)
	said = "loud 50 %"
	f(200, `{"log":"ok","noisy_rules":"loud 50 %"}`)
	said = ""
	h.stopping()
	f(503, `{"log":"ok","serve":"stopping"}`)
}

// boundedLog takes records of a size.
type boundedLog struct {
	stream.Producer
	max  int
	took []stream.Record
}

func (l *boundedLog) Partitions(string) int { return 1 }

func (l *boundedLog) Append(_ context.Context, _ string, records []stream.Record) error {
	if len(records[0].Value) > l.max {
		return stream.ErrTooLarge
	}
	l.took = append(l.took, records...)
	return nil
}

// A record that the log just took is too large for it when it is sealed: the
// store would wait for ever.
func TestDeadLetterOfTheLargestRecord(t *testing.T) {
	sealer, err := ingest.NewSealer(bytes.Repeat([]byte("k"), 32))
	if err != nil {
		t.Fatal(err)
	}
	f := func(size, want int) {
		t.Helper()
		log := &boundedLog{max: 1000}
		record := stream.Record{Value: bytes.Repeat([]byte("x"), size), Time: time.Unix(1, 0).UTC()}
		if err := deadLetters(log, sealer)(t.Context(), record, "refused"); err != nil {
			t.Fatal(err)
		}
		letter, err := topic.DecodeDeadLetter(&log.took[0])
		if err != nil {
			t.Fatal(err)
		}
		text, err := sealer.Open(&letter)
		if err != nil {
			t.Fatal(err)
		}
		if len(text) != want || letter.Length != int64(size) {
			t.Errorf("%d bytes of %d, want %d of %d", len(text), letter.Length, want, size)
		}
	}
	f(500, 500)
	f(1000, 500)
}

// Where Kafka is away, a process stays ready, and says so: it tells senders to come
// again, which a Service that leaves it out would not.
func TestReadyWithoutBrokers(t *testing.T) {
	away := &fakeLog{err: errors.New("no broker")}
	a := &App{config: Config{Stream: StreamConfig{Kind: StreamKafka}}}
	h := a.newHealth(away, nil)
	h.serving()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
	if got := strings.TrimSpace(w.Body.String()); w.Code != http.StatusOK || got != `{"log":"no broker"}` {
		t.Errorf("with Kafka: %d %s", w.Code, got)
	}
	a.config.Stream.Kind = StreamLocal
	h = a.newHealth(away, nil)
	h.serving()
	w = httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("with a local log: %d %s", w.Code, w.Body.String())
	}
}

// fakeLog is a log in some state.
type fakeLog struct {
	stream.Log
	err error
}

func (l *fakeLog) Healthy() error { return l.err }
