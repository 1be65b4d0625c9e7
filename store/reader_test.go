package store

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klaxon-dev/klaxon/stream"
)

func newTestReader(log *fakeLog, bounds BatchConfig) *reader {
	return &reader{
		claim:  &fakeClaim{fakeLog: log},
		bounds: bounds,
		logger: slog.New(slog.DiscardHandler),
		lost:   func(int64) {},
	}
}

func logOf(sizes ...int) *fakeLog {
	log := newFakeLog()
	for _, n := range sizes {
		log.append(noon, stream.Record{Value: make([]byte, n)})
	}
	return log
}

func TestReaderBounds(t *testing.T) {
	f := func(name string, bounds BatchConfig, sizes []int, want ...int) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			bounds.Wait = time.Second
			r := newTestReader(logOf(sizes...), bounds)
			next := int64(0)
			for i, n := range want {
				records, err := r.batch(t.Context())
				if err != nil || len(records) != n || records[0].Offset != next {
					t.Fatalf("%s: batch %d has %d records from %d on, %v, want %d from %d on", name, i, len(records), records[0].Offset, err, n, next)
				}
				next += int64(n)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			if records, err := r.batch(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: after all records: %d more, %v", name, len(records), err)
			}
		})
	}
	f("rows", BatchConfig{Rows: 2, Bytes: 100}, []int{1, 1, 1, 1, 1}, 2, 2, 1)
	f("bytes", BatchConfig{Rows: 100, Bytes: 10}, []int{4, 4, 4, 4, 4}, 3, 2)
	f("a record larger than the bound", BatchConfig{Rows: 100, Bytes: 10}, []int{50, 1, 50}, 1, 2)
	f("one batch", BatchConfig{Rows: 100, Bytes: 100}, []int{1, 1, 1}, 3)
}

// A batch waits as long after its first record as was configured, and no longer.
func TestReaderWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newFakeLog()
		r := newTestReader(log, BatchConfig{Rows: 100, Bytes: 1000, Wait: time.Second})
		go func() {
			for range 5 { // after 0.4, 0.8, 1.2, 1.6 and 2 s
				time.Sleep(400 * time.Millisecond)
				log.append(noon, stream.Record{Value: []byte("x")})
			}
		}()
		start := time.Now()
		for i, want := range []int{3, 2} {
			records, err := r.batch(t.Context())
			if err != nil || len(records) != want {
				t.Errorf("batch %d after %s: %d records, %v, want %d", i, time.Since(start), len(records), err, want)
			}
		}
		if took := time.Since(start); took != 2600*time.Millisecond {
			t.Errorf("two batches took %s, want 2.6s: each a second from its first record on", took)
		}
	})
}

func TestReaderExactly(t *testing.T) {
	r := newTestReader(logOf(1, 1, 1, 1, 1), BatchConfig{Rows: 2, Bytes: 2, Wait: time.Second})
	r.seek(1)
	records, err := r.exactly(t.Context(), 4)
	if err != nil || len(records) != 3 || records[0].Offset != 1 {
		t.Fatalf("got %d records, %v, want 3 from 1 on", len(records), err)
	}
	if records, err = r.batch(t.Context()); err != nil || len(records) != 1 || records[0].Offset != 4 {
		t.Errorf("got %d records, %v, want the one behind them", len(records), err)
	}
}
