package store

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/klaxon-dev/klaxon/internal/topic"
)

func TestRefused(t *testing.T) {
	f := func(name string, err error, want bool) {
		t.Helper()
		if got := refused(err); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	f("a constraint", fmt.Errorf("insert: %w", &clickhouse.Exception{Code: 469}), true)
	f("over HTTP", &clickhouse.HTTPError{StatusCode: 500, Err: &clickhouse.Exception{Code: 117}}, true)
	f("memory", &clickhouse.Exception{Code: 241}, false)
	f("disk full", &clickhouse.Exception{Code: 243}, false)
	f("too many parts", &clickhouse.Exception{Code: 252}, false)
	f("no table", &clickhouse.Exception{Code: 60}, false)
	f("no connection", errors.New("connection refused"), false)
}

// forbid makes the engine refuse rows whose verb is poison.
func (h *harness) forbid(poison bool) {
	h.t.Helper()
	change := "DROP CONSTRAINT IF EXISTS no_poison"
	if poison {
		change = "ADD CONSTRAINT no_poison CHECK verb != 'poison'"
	}
	for _, table := range []string{tableEvents, tableMisdated} {
		if err := h.store.writes.Exec(h.t.Context(), "ALTER TABLE "+table+" "+change); err != nil {
			h.t.Fatal(err)
		}
	}
}

// poisoned returns n events of which some are refused, and the good ones apart.
func poisoned(prefix string, n int, bad ...int) (all, good []sample) {
	all = samples(prefix, n, noon)
	for _, i := range bad {
		all[i].verb = "poison"
	}
	for _, e := range all {
		if e.verb != "poison" {
			good = append(good, e)
		}
	}
	return all, good
}

func TestRefusedRowsAreFoundByHalving(t *testing.T) {
	h := newHarness(t, engine(t))
	h.forbid(true)
	all, good := poisoned("a", 200, 0, 77, 78, 199)
	log := newFakeLog()
	h.write(log, noon, all...)
	h.once(good...)
	if diff := cmp.Diff([]string{reasonRefused, reasonRefused, reasonRefused, reasonRefused}, h.dead.reasons); diff != "" {
		t.Error(diff)
	}
	for i, at := range []int64{0, 77, 78, 199} {
		if got := h.dead.records[i].Offset; got != at {
			t.Errorf("record %d was set aside, want %d", got, at)
		}
	}
	if n := h.count("set_aside", topic.Events, reasonRefused); n != 4 {
		t.Errorf("%v records counted, want 4", n)
	}
	h.write(log, noon, samples("next", 3, noon)...)
	h.once(append(good, samples("next", 3, noon)...)...)
}

// A crash amid the halving, after which the engine takes or refuses other rows
// than before, still leaves each event once.
func TestCrashesWhileHalving(t *testing.T) {
	h := newHarness(t, engine(t), func(c *Config) { c.Batch.Wait = time.Millisecond })
	steps := 0
	for at := 0; at <= max(10, steps); at++ {
		for _, healed := range []bool{false, true} {
			h.store.config.Batch.Rows = 1000
			h.forbid(false)
			h.forbid(true)
			all, good := poisoned("a", 8, 5)
			for _, list := range [][]sample{all, good} {
				for i := range list {
					list[i].cluster = fmt.Sprintf("cluster-%d-%v", at, healed)
				}
			}
			log := newFakeLog()
			for _, e := range all {
				log.append(noon, e.record(t, noon))
			}
			if took := h.live(log, at); at == 0 {
				steps = took
			}
			if healed {
				h.forbid(false)
			}
			h.live(log, 0)
			counts := h.stored()
			for _, e := range good {
				if n := counts[e.id(t)]; n != 1 {
					t.Errorf("a crash at step %d of %d, healed %v: event %s is stored %d times", at, steps, healed, e.auditID, n)
				}
			}
		}
	}
}

// An engine that fails for now gets the same rows until it takes them.
func TestEngineThatFailsForNow(t *testing.T) {
	h := newHarness(t, engine(t))
	failures := []error{
		&clickhouse.Exception{Code: 241, Message: "memory"},
		&clickhouse.Exception{Code: 243, Message: "disk"},
		errors.New("connection reset"),
	}
	lost := true // the answer to the first insert that is done is lost
	defer h.hook(func(send func() error) error {
		if n := gauge(t, h.store.metrics.inFlight.WithLabelValues("audit_events")); n != 1 {
			t.Errorf("%v inserts in flight, want 1", n)
		}
		if len(failures) > 0 {
			err := failures[0]
			failures = failures[1:]
			return err
		}
		err := send()
		if err == nil && lost {
			lost = false
			return errors.New("unexpected EOF")
		}
		return err
	})()
	list := samples("a", 10, noon)
	h.write(newFakeLog(), noon, list...)
	h.once(list...)
	if n := h.count("retries", "insert"); n != 4 {
		t.Errorf("%v retries counted, want 4", n)
	}
	if n := h.count("repeated", "audit_events"); n != 4 {
		t.Errorf("%v repeated inserts counted, want 4", n)
	}
	if n := gauge(t, h.store.metrics.inFlight.WithLabelValues("audit_events")); n != 0 {
		t.Errorf("%v inserts in flight after all, want 0", n)
	}
	if len(h.dead.records) != 0 {
		t.Errorf("%d records were set aside", len(h.dead.records))
	}
}

// The engine writes a token down before the rows. Where it died between the two,
// the repetition is dropped by the token, and the rows are not there.
func TestTokenWithoutRows(t *testing.T) {
	h := newHarness(t, engine(t))
	plain := h.store.writes
	fails := true
	defer h.hook(func(send func() error) error {
		err := send()
		if err != nil || !fails {
			return err
		}
		fails = false
		ctx := clickhouse.Context(t.Context(), clickhouse.WithSettings(clickhouse.Settings{"mutations_sync": 2}))
		if err := plain.Exec(ctx, "ALTER TABLE audit_events DELETE WHERE audit_id < 'a-5'"); err != nil {
			t.Error(err)
		}
		return errors.New("unexpected EOF")
	})()
	list := samples("a", 10, noon)
	h.write(newFakeLog(), noon, list...)
	h.once(list...)
}
