package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/klaxon-dev/klaxon/internal/query"
	"github.com/klaxon-dev/klaxon/store/engine/enginetest"
)

func TestOpenTwiceChangesNothing(t *testing.T) {
	h := newHarness(t, engine(t))
	list := samples("a", 3, noon)
	log := newFakeLog()
	h.write(log, noon, list...)
	h.reopen()
	h.once(list...)
	h.write(log, noon, list...)
	h.once(list...)
}

// What is written survives the end of the engine.
func TestEventsSurviveTheEngine(t *testing.T) {
	config := enginetest.Config(t, enginetest.Dir(t))
	supervisor := enginetest.Supervise(t, config)
	h := newHarness(t, supervisor.Options())
	list := samples("a", 10, noon)
	log := newFakeLog()
	h.write(log, noon, list...)
	ctx, cancel := context.WithTimeout(t.Context(), testTime)
	defer cancel()
	if err := supervisor.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if err := h.store.Healthy(ctx); err == nil {
		t.Error("a store without an engine calls itself healthy")
	}
	config.Registerer = prometheus.NewRegistry()
	h.connection = enginetest.Supervise(t, config).Options()
	h.reopen()
	if err := h.store.Healthy(ctx); err != nil {
		t.Error(err)
	}
	h.once(list...)
	h.write(log, noon, append(list, samples("b", 5, noon)...)...)
	h.once(append(list, samples("b", 5, noon)...)...)
}

func TestOpenRefusesNewerTables(t *testing.T) {
	h := newHarness(t, engine(t))
	if err := h.store.writes.Exec(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)"); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), h.connection, h.options())
	if !errors.Is(err, ErrNewer) {
		t.Errorf("got %v, want %v", err, ErrNewer)
	}
}

func (h *harness) definition(table string) string {
	h.t.Helper()
	var sql string
	row := h.store.reads.QueryRow(h.t.Context(),
		"SELECT create_table_query FROM system.tables WHERE database = currentDatabase() AND name = {name:String}", clickhouse.Named("name", table))
	if err := row.Scan(&sql); err != nil {
		h.t.Fatal(err)
	}
	return sql
}

func TestRetention(t *testing.T) {
	h := newHarness(t, engine(t))
	f := func(retention time.Duration) {
		t.Helper()
		h.config.Retention = retention
		h.reopen()
		want := fmt.Sprintf("TTL toDateTime(received) + toIntervalSecond(%d)", int64(retention/time.Second))
		for _, table := range []string{tableEvents, tableMisdated, "findings", "dead_letters"} {
			if sql := h.definition(table); !strings.Contains(sql, want) {
				t.Errorf("table %s does not have %s:\n%s", table, want, sql)
			}
		}
	}
	f(8760 * time.Hour)
	f(48 * time.Hour)
	f(48 * time.Hour)
}

// An old event is kept: its time to live counts from its receipt. One that was
// received long ago goes.
func TestRetentionCountsFromReceipt(t *testing.T) {
	h := newHarness(t, engine(t), func(c *Config) { c.Retention = 48 * time.Hour })
	now := time.Now()
	past := now.Add(-50 * time.Hour)
	old := samples("old", 3, noon.AddDate(-5, 0, 0))
	h.write(newFakeLog(), now, old...)
	h.write(newFakeLog(), past, samples("expired", 3, past)...)
	h.write(newFakeLog(), past, samples("expired and ahead", 3, past.AddDate(10, 0, 0))...)
	for _, table := range []string{tableEvents, tableMisdated} {
		if err := h.store.writes.Exec(t.Context(), "OPTIMIZE TABLE "+table+" FINAL"); err != nil {
			t.Fatal(err)
		}
	}
	h.once(old...)
}

func TestSearchStopsWithItsContext(t *testing.T) {
	h := newHarness(t, engine(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.store.SearchEvents(ctx, query.Events{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

func TestSearchErrorsThatAreBounds(t *testing.T) {
	f := func(err error, want bool) {
		t.Helper()
		if got := errors.Is(searchError(t.Context(), err), query.ErrTooExpensive); got != want {
			t.Errorf("%v: %v, want %v", err, got, want)
		}
	}
	f(&clickhouse.Exception{Code: 159}, true)
	f(&clickhouse.HTTPError{StatusCode: 500, Err: &clickhouse.Exception{Code: 241}}, true)
	f(&clickhouse.Exception{Code: 60}, false)
	f(errors.New("connection reset"), false)
	if err := searchError(t.Context(), nil); err != nil {
		t.Errorf("no error became %v", err)
	}
}
