package store

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/klaxon-dev/klaxon/internal/seldom"
	"github.com/klaxon-dev/klaxon/stream"
)

// Bad records wait for the dead letters together, and fill no log.
func TestBadRecordsAreSetAsideTogether(t *testing.T) {
	m, err := newMetrics(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	var together sync.WaitGroup
	together.Add(setAsideAtOnce)
	var said bytes.Buffer
	s := &Store{
		metrics: m,
		seldom:  seldom.NewGate[unfitOf](time.Now),
		deadLetter: func(_ context.Context, r stream.Record, _ string) error {
			if r.Offset < setAsideAtOnce { // comes back when so many are under way
				together.Done()
				together.Wait()
			}
			return nil
		},
	}
	logger := slog.New(slog.NewTextHandler(&said, nil))
	retry := retrier{logger: logger, clock: time.Now, retries: m.retries, waits: func() {}}
	var bad []unfit
	for i := range int64(10 * setAsideAtOnce) {
		bad = append(bad, unfit{record: stream.Record{Partition: 3, Offset: i, Value: []byte("secret")}, reason: reasonRecord})
	}
	for _, some := range [][]unfit{bad, bad[setAsideAtOnce:]} {
		if err := s.setAside(t.Context(), &retry, logger, "events", some); err != nil {
			t.Fatal(err)
		}
	}
	if lines := strings.Count(said.String(), "\n"); lines != 1 || !strings.Contains(said.String(), "offset=0") || strings.Contains(said.String(), "secret") {
		t.Errorf("%d lines were said:\n%s", lines, said.String())
	}
}
