package store

import (
	"slices"
	"testing"
	"time"

	"github.com/klaxon-dev/klaxon/stream"
)

func TestDuplicates(t *testing.T) {
	connection := engine(t)
	list := samples("a", 30, noon)
	f := func(name string, memory, store float64, change func(*Config), play func(h *harness, log *fakeLog)) {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, connection, change)
			play(h, newFakeLog())
			h.once(list...)
			if got := h.count("duplicates", "memory"); got != memory {
				t.Errorf("%v copies found in memory, want %v", got, memory)
			}
			if got := h.count("duplicates", "store"); got != store {
				t.Errorf("%v copies found in the store, want %v", got, store)
			}
		})
	}
	defaults := func(*Config) {}
	small := func(c *Config) { c.Batch.Rows = 10 }
	forgetful := func(c *Config) { c.Batch.Rows = 10; c.RememberedIDs = 10 }

	f("the same batch twice in one", 30, 0, defaults, func(h *harness, log *fakeLog) {
		h.write(log, noon, append(list, list...)...)
	})
	f("across batches", 30, 0, small, func(h *harness, log *fakeLog) {
		h.write(log, noon, append(list, list...)...)
	})
	f("after a restart, from the log", 30, 0, small, func(h *harness, log *fakeLog) {
		h.write(log, noon, list...)
		h.write(log, noon.Add(time.Minute), list...)
	})
	f("a retry after 20 minutes", 0, 30, defaults, func(h *harness, log *fakeLog) {
		h.write(log, noon, list...)
		h.write(log, noon.Add(20*time.Minute), list...)
	})
	f("a retry after 20 minutes in the same process", 0, 30, small, func(h *harness, log *fakeLog) {
		for _, e := range list {
			log.append(noon, e.record(h.t, noon))
		}
		later := noon.Add(20 * time.Minute)
		for _, e := range list {
			log.append(later, e.record(h.t, later))
		}
		h.consume(log, (*Store).WriteEvents)
	})
	f("from a log file a day later, in another log", 0, 30, defaults, func(h *harness, log *fakeLog) {
		h.write(log, noon, list...)
		h.write(newFakeLog(), noon.AddDate(0, 0, 1), list...)
	})
	f("after the log forgot the first ones", 0, 30, small, func(h *harness, log *fakeLog) {
		h.write(log, noon, list...)
		log.remove(30)
		h.write(log, noon.Add(time.Minute), list...)
	})
	// The log takes events hours after they happened, and some of them again, as
	// who hands them over may die in between.
	handedOver := func(h *harness, log *fakeLog, at time.Time) {
		for _, e := range list {
			log.append(at, e.record(h.t, noon))
		}
	}
	f("of a spool, right after the original", 30, 0, small, func(h *harness, log *fakeLog) {
		handedOver(h, log, noon.Add(3*time.Hour))
		handedOver(h, log, noon.Add(3*time.Hour+time.Second))
		h.consume(log, (*Store).WriteEvents)
	})
	f("of a spool, by the next process in a minute", 30, 0, small, func(h *harness, log *fakeLog) {
		handedOver(h, log, noon.Add(3*time.Hour))
		h.consume(log, (*Store).WriteEvents)
		handedOver(h, log, noon.Add(3*time.Hour+time.Minute))
		h.consume(log, (*Store).WriteEvents)
	})
	f("of a spool, by the next process in an hour", 0, 30, small, func(h *harness, log *fakeLog) {
		handedOver(h, log, noon.Add(3*time.Hour))
		h.consume(log, (*Store).WriteEvents)
		handedOver(h, log, noon.Add(4*time.Hour))
		h.consume(log, (*Store).WriteEvents)
	})
	by := func(sender string) []sample {
		list := slices.Clone(list)
		for i := range list {
			list[i].sender = sender
		}
		return list
	}
	f("by a second sender at the same time", 30, 0, small, func(h *harness, log *fakeLog) {
		for i := range list {
			log.append(noon, by("prod-1")[i].record(h.t, noon.Add(time.Duration(i)*time.Second)))
			log.append(noon, by("prod-1-tail")[i].record(h.t, noon.Add(time.Duration(2*i)*time.Second)))
		}
		h.consume(log, (*Store).WriteEvents)
	})
	f("from the log file, minutes after the webhook", 30, 0, small, func(h *harness, log *fakeLog) {
		h.write(log, noon, by("prod-1")...)
		h.write(log, noon.Add(14*time.Minute), by("prod-1-tail")...)
	})
	f("from the log file, 20 minutes after the webhook", 0, 30, small, func(h *harness, log *fakeLog) {
		h.write(log, noon, by("prod-1")...)
		h.write(log, noon.Add(20*time.Minute), by("prod-1-tail")...)
	})
	f("from the log file, a day after the webhook", 0, 30, small, func(h *harness, log *fakeLog) {
		h.write(log, noon, by("prod-1")...)
		h.write(log, noon.AddDate(0, 0, 1), by("prod-1-tail")...)
	})
	f("from the webhook, after the log file was imported", 0, 30, small, func(h *harness, log *fakeLog) {
		h.write(newFakeLog(), noon.AddDate(0, 0, 1), by("prod-1-tail")...)
		h.write(log, noon.AddDate(0, 0, 2), by("prod-1")...)
	})
	f("three times, an hour apart each", 0, 60, defaults, func(h *harness, log *fakeLog) {
		for i := range 3 {
			h.write(log, noon.Add(time.Duration(i)*time.Hour), list...)
		}
	})
	f("more ids than are remembered", 0, 30, forgetful, func(h *harness, log *fakeLog) {
		h.write(log, noon, list...)
		h.write(log, noon, list...)
	})
}

// A log that was made anew counts its records from 0 again: its first range is
// another one than that of the old log, whatever it is called.
func TestNewLogOnAnOldStore(t *testing.T) {
	h := newHarness(t, engine(t))
	first, second := samples("first", 5, noon), samples("second", 5, noon)
	h.write(newFakeLog(), noon, first...)
	h.write(newFakeLog(), noon, second...)
	h.once(append(first, second...)...)
}

// A process reads back no more than its position says it needs.
func TestRestoreReadsTheHorizonOnly(t *testing.T) {
	h := newHarness(t, engine(t), func(c *Config) { c.Batch.Rows = 10 })
	log := newFakeLog()
	old := samples("old", 30, noon)
	later := noon.Add(time.Hour)
	fresh := samples("fresh", 10, later)
	h.write(log, noon, old...)
	h.write(log, later, fresh...)
	h.write(log, later, samples("last", 1, later)...)
	log.reads = 0
	h.write(log, later.Add(time.Second), fresh...)
	if log.reads > 35 { // not the 30 old ones
		t.Errorf("%d records were read to store 10", log.reads)
	}
	h.once(append(append(old, fresh...), samples("last", 1, later)...)...)
}

// A lookup is by cluster, and across many ids and days.
func TestLookup(t *testing.T) {
	h := newHarness(t, engine(t))
	var list []sample
	for i, e := range samples("a", 1200, noon) {
		e.time = noon.AddDate(0, 0, -i%30)
		e.cluster = []string{"prod-1", "prod-2", "it's \\ \"x\"\n\t\x00\u202e"}[i%3]
		list = append(list, e)
	}
	h.write(newFakeLog(), noon, list...)
	h.once(list...)
	var rows []*row
	for _, e := range append(list, samples("unknown", 10, noon)...) {
		r := h.row(e)
		rows = append(rows, &r)
	}
	found, err := h.store.lookup(t.Context(), rows, 0)
	if err != nil || len(found) != len(list) {
		t.Errorf("%d events found, %v, want %d", len(found), err, len(list))
	}
	if found, err = h.store.lookup(t.Context(), nil, 0); err != nil || len(found) != 0 {
		t.Errorf("nothing to look up gave %d, %v", len(found), err)
	}
}

// row returns the row of a sample.
func (h *harness) row(e sample) row {
	h.t.Helper()
	ids := newSeen()
	records := []stream.Record{e.record(h.t, noon)}
	ids.begin(records)
	p, err := newPlan(0, records, ids, mostAge)
	if err != nil || len(p.rows) != 1 {
		h.t.Fatalf("plan of %s: %v, %d rows", e.auditID, err, len(p.rows))
	}
	return p.rows[0]
}
