package store

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/internal/query"
	"github.com/klaxon-dev/klaxon/store/engine/enginetest"
	"github.com/klaxon-dev/klaxon/stream"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

// testTime bounds what a test waits for.
const testTime = 2 * time.Minute

func quote(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// harness is a store on the real engine and what a test looks at.
type harness struct {
	t          testing.TB
	connection *clickhouse.Options
	config     Config
	store      *Store
	dead       *deadLetters
}

// deadLetters keeps what was set aside, and its reasons.
type deadLetters struct {
	mu      sync.Mutex
	fail    int // so many calls fail first
	records []stream.Record
	reasons []string
}

func (d *deadLetters) put(_ context.Context, r stream.Record, reason string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fail > 0 {
		d.fail--
		return errors.New("no room among the dead letters")
	}
	d.records, d.reasons = append(d.records, r), append(d.reasons, reason)
	return nil
}

// engine starts the engine for the stores of one test.
func engine(t testing.TB) *clickhouse.Options { return enginetest.Start(t) }

// newHarness opens a store on a database of its own.
func newHarness(t testing.TB, connection *clickhouse.Options, change ...func(*Config)) *harness {
	t.Helper()
	config := DefaultConfig()
	config.Database = fmt.Sprintf("klaxon_%d", time.Now().UnixNano())
	config.Retention = maxRetention // of noon, nothing expires
	config.Batch.Wait = 20 * time.Millisecond
	for _, c := range change {
		c(&config)
	}
	h := &harness{t: t, connection: connection, config: config, dead: &deadLetters{}}
	h.reopen()
	return h
}

// reopen opens the store as a new process would.
func (h *harness) reopen() {
	h.t.Helper()
	s, err := Open(h.t.Context(), h.connection, h.options())
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		if err := s.Close(); err != nil {
			h.t.Errorf("close the store: %v", err)
		}
	})
	h.store = s
}

func (h *harness) options() Options {
	return Options{
		Config:     h.config,
		Logger:     slog.New(slog.NewTextHandler(h.t.Output(), nil)),
		Registerer: prometheus.NewPedanticRegistry(),
		Clock:      time.Now,
		DeadLetter: h.dead.put,
	}
}

type handler func(*Store, context.Context, stream.Claim) error

// consume runs the handler until everything in the log is committed.
func (h *harness) consume(log *fakeLog, handle handler) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), testTime)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- handle(h.store, ctx, &fakeClaim{fakeLog: log}) }()
	waited := make(chan error, 1)
	go func() { waited <- log.wait(ctx) }()
	select {
	case err := <-done:
		h.t.Fatalf("the consumer ended: %v", err)
	case err := <-waited:
		if err != nil {
			h.t.Fatalf("the log was not consumed: %v", err)
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		h.t.Fatalf("the consumer ended with %v", err)
	}
}

// write appends the samples and consumes them.
func (h *harness) write(log *fakeLog, received time.Time, samples ...sample) {
	h.t.Helper()
	for _, e := range samples {
		log.append(received, e.record(h.t, received))
	}
	h.consume(log, (*Store).WriteEvents)
}

// stored returns how often each event is in the tables.
func (h *harness) stored() map[audit.EventID]int {
	h.t.Helper()
	rows, err := h.store.reads.Query(h.t.Context(), "SELECT event_id FROM audit_events UNION ALL SELECT event_id FROM audit_events_misdated")
	if err != nil {
		h.t.Fatal(err)
	}
	defer rows.Close()
	counts := map[audit.EventID]int{}
	for rows.Next() {
		var id audit.EventID
		if err := rows.Scan(&id); err != nil {
			h.t.Fatal(err)
		}
		counts[id]++
	}
	if err := rows.Err(); err != nil {
		h.t.Fatal(err)
	}
	return counts
}

// once checks that the tables hold the samples and nothing else, each once.
func (h *harness) once(samples ...sample) {
	h.t.Helper()
	counts := h.stored()
	for _, e := range samples {
		if n := counts[e.id(h.t)]; n != 1 {
			h.t.Errorf("event %s is stored %d times, want once", e.auditID, n)
		}
		delete(counts, e.id(h.t))
	}
	if len(counts) > 0 {
		h.t.Errorf("%d other events are stored", len(counts))
	}
}

// all returns every event that q selects, page by page.
func (h *harness) all(q query.Events) []query.Event {
	h.t.Helper()
	var events []query.Event
	for {
		page, err := h.store.SearchEvents(h.t.Context(), q)
		if err != nil {
			h.t.Fatal(err)
		}
		events = append(events, page.Events...)
		if q.Cursor = page.Next; q.Cursor == "" {
			return events
		}
	}
}

func (h *harness) count(metric string, labels ...string) float64 {
	h.t.Helper()
	m := h.store.metrics
	vec := map[string]*prometheus.CounterVec{
		"rows": m.rows, "batches": m.batches, "retries": m.retries, "duplicates": m.duplicates, "set_aside": m.setAside, "lost": m.lost, "repeated": m.repeated,
	}[metric]
	var value dto.Metric
	if err := vec.WithLabelValues(labels...).Write(&value); err != nil {
		h.t.Fatal(err)
	}
	return value.GetCounter().GetValue()
}

func gauge(t testing.TB, g prometheus.Gauge) float64 {
	t.Helper()
	var value dto.Metric
	if err := g.Write(&value); err != nil {
		t.Fatal(err)
	}
	return value.GetGauge().GetValue()
}

// hookConn lets a test stand between the store and the engine at an insert.
type hookConn struct {
	driver.Conn
	onSend func(send func() error) error
}

func (c *hookConn) PrepareBatch(ctx context.Context, sql string, opts ...driver.PrepareBatchOption) (driver.Batch, error) {
	batch, err := c.Conn.PrepareBatch(ctx, sql, opts...)
	if err != nil {
		return nil, err
	}
	return &hookBatch{Batch: batch, onSend: c.onSend}, nil
}

type hookBatch struct {
	driver.Batch
	onSend func(send func() error) error
}

func (b *hookBatch) Send() error { return b.onSend(b.Batch.Send) }

// hook calls f in place of each insert from now on, until the returned function
// is called; send does the insert.
func (h *harness) hook(f func(send func() error) error) (unhook func()) {
	plain := h.store.writes
	h.store.writes = &hookConn{Conn: plain, onSend: f}
	return func() { h.store.writes = plain }
}

// samples returns n events a second apart, from the time on.
func samples(prefix string, n int, from time.Time) []sample {
	list := make([]sample, n)
	for i := range list {
		list[i] = sample{auditID: fmt.Sprintf("%s-%d", prefix, i), time: from.Add(time.Duration(i) * time.Second)}
	}
	return list
}

func auditIDs(events []query.Event) []string {
	ids := make([]string, len(events))
	for i := range events {
		ids[i] = events[i].Event.AuditID
	}
	return ids
}

func sorted[T cmp.Ordered](list []T) []T {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}

// rows returns how many rows of a table meet the condition.
func (h *harness) rows(table, condition string) (n uint64) {
	h.t.Helper()
	if err := h.store.reads.QueryRow(h.t.Context(), "SELECT count() FROM "+table+" WHERE "+condition).Scan(&n); err != nil {
		h.t.Fatal(err)
	}
	return n
}
