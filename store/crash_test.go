package store

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/klaxon-dev/klaxon/stream"
)

// victim is a process that dies at its at-th step (0: never). Steps lie before
// and after each commit and each insert: what was done before stays done, what
// would come after does not happen.
type victim struct {
	at, step int
	die      context.CancelFunc
}

func (v *victim) dies() bool {
	v.step++
	if v.step == v.at {
		v.die()
		return true
	}
	return false
}

// around does the work, or dies before or after it.
func (v *victim) around(work func() error) error {
	if v.dies() {
		return context.Canceled
	}
	if err := work(); err != nil {
		return err
	}
	if v.dies() {
		return context.Canceled
	}
	return nil
}

// live consumes the log until all is committed or the victim has died, and
// returns how many steps that took.
func (h *harness) live(log *fakeLog, at int) int {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), testTime)
	defer cancel()
	v := &victim{at: at, die: cancel}
	// Each process would cut its batches in its own way.
	if h.store.config.Batch.Rows--; h.store.config.Batch.Rows < 7 {
		h.store.config.Batch.Rows = 12
	}
	claim := &fakeClaim{fakeLog: log, onCommit: func(_ stream.Position, commit func()) error {
		return v.around(func() error { commit(); return nil })
	}}
	unhook := h.hook(v.around)
	defer unhook()
	go func() {
		if log.wait(ctx) == nil {
			cancel()
		}
	}()
	if err := h.store.WriteEvents(ctx, claim); !errors.Is(err, context.Canceled) {
		h.t.Fatalf("the consumer ended with %v", err)
	}
	return v.step
}

// Wherever a process dies, and its successor too, each event is stored once.
func TestCrashes(t *testing.T) {
	connection := engine(t)
	h := newHarness(t, connection, func(c *Config) { c.Batch.Wait = time.Millisecond })
	scenarios := 0
	// scenario fills a log of a cluster of its own with events as they happen, some
	// of odd times, copies of them in the same batch and in later ones, and copies of what another
	// log brought long ago.
	scenario := func() (*fakeLog, []sample) {
		scenarios++
		list := samples("a", 20, noon)
		for i := range list {
			list[i].cluster = fmt.Sprintf("cluster-%d", scenarios)
			list[i].time = noon.Add(time.Duration(i) * time.Minute)
			if i%5 == 2 {
				list[i].time = list[i].time.AddDate(60*(i-9), 0, 0)
			}
		}
		h.write(newFakeLog(), noon.AddDate(0, 0, -1), list[:4]...)
		log := newFakeLog()
		for i, e := range append(append(list, list[10:]...), list...) {
			at := noon.Add(time.Duration(i) * time.Minute)
			log.append(at, e.record(t, at))
		}
		return log, list
	}
	check := func(what string, log *fakeLog, list []sample) {
		t.Helper()
		h.live(log, 0)
		counts := h.stored()
		for _, e := range list {
			if n := counts[e.id(t)]; n != 1 {
				t.Errorf("%s: event %s is stored %d times", what, e.auditID, n)
			}
		}
	}
	log, list := scenario()
	h.store.config.Batch.Rows = 8 // as many steps as there will ever be
	steps := h.live(log, 0)
	check("without a crash", log, list)
	if steps < 4*3 {
		t.Fatalf("only %d steps: no crash to try", steps)
	}
	for first := 1; first <= steps; first++ {
		log, list := scenario()
		h.live(log, first)
		check(fmt.Sprintf("a crash at step %d", first), log, list)
	}
	for first := 1; first <= 8; first++ {
		for second := 1; second <= 4; second++ {
			log, list := scenario()
			h.live(log, first)
			h.live(log, second)
			check(fmt.Sprintf("crashes at steps %d and %d", first, second), log, list)
		}
	}
}

// The same where one range is inserted in two parts, one for each table.
func TestCrashesBetweenParts(t *testing.T) {
	h := newHarness(t, engine(t))
	for at := 3; at <= 7; at++ { // from before the first insert to the commit
		h.store.config.Batch.Rows = 1000
		list := samples("a", maxDays+1, noon)
		for i := range list {
			list[i].cluster = fmt.Sprintf("cluster-%d", at)
			list[i].time = list[i].time.AddDate(0, 0, -i)
		}
		log := newFakeLog()
		for _, e := range list {
			log.append(noon, e.record(t, noon))
		}
		h.live(log, at)
		h.live(log, 0)
		counts := h.stored()
		for _, e := range list {
			if n := counts[e.id(t)]; n != 1 {
				t.Errorf("a crash at step %d: event %s is stored %d times", at, e.auditID, n)
			}
		}
	}
}

// A process that lost its partition and wakes up late inserts at most what it
// had announced, and that is there already.
func TestLateInsertOfAPredecessor(t *testing.T) {
	h := newHarness(t, engine(t))
	log := newFakeLog()
	list := samples("a", 10, noon)
	for _, e := range list {
		log.append(noon, e.record(t, noon))
	}
	asleep, wake, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	sleeper := &Store{
		config: h.store.config, logger: h.store.logger, clock: h.store.clock,
		deadLetter: h.store.deadLetter, metrics: h.store.metrics, reads: h.store.reads,
		writes: &hookConn{Conn: h.store.writes, onSend: func(send func() error) error {
			close(asleep)
			<-wake
			return send()
		}},
	}
	claim := &fakeClaim{fakeLog: log, onCommit: func(_ stream.Position, commit func()) error {
		select {
		case <-asleep:
			return stream.ErrFenced
		default:
			commit()
			return nil
		}
	}}
	go func() { ended <- sleeper.WriteEvents(t.Context(), claim) }()
	<-asleep
	h.consume(log, (*Store).WriteEvents)
	close(wake)
	if err := <-ended; !errors.Is(err, stream.ErrFenced) {
		t.Errorf("the predecessor ended with %v, want %v", err, stream.ErrFenced)
	}
	h.once(list...)
}

// What a position says and the log does not hold is an error, not a guess.
func TestPositionsThatDoNotFit(t *testing.T) {
	h := newHarness(t, engine(t))
	f := func(name string, p stream.Position) {
		t.Helper()
		log := newFakeLog()
		log.append(noon, samples("a", 1, noon)[0].record(t, noon))
		log.position = p
		if err := h.store.WriteEvents(t.Context(), &fakeClaim{fakeLog: log}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	f("an announced range past the end", stream.Position{Metadata: `{"horizon":0,"until":5}`})
	f("metadata of somebody else", stream.Position{Metadata: `{"later":5}`})
}
