package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/klaxon-dev/klaxon/stream"
)

// journal notes what handlers do, by member and partition.
type journal struct {
	mu     sync.Mutex
	starts map[string]int
	ends   map[string]int
	read   map[string]int64
}

func newJournal() *journal {
	return &journal{starts: map[string]int{}, ends: map[string]int{}, read: map[string]int64{}}
}

func (j *journal) note(f func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	f()
}

// reading is a handler that reads on, commits, and notes both.
func (j *journal) reading(member string) func(context.Context, stream.Claim) error {
	return func(ctx context.Context, c stream.Claim) error {
		name := fmt.Sprint(member, c.Partition())
		j.note(func() { j.starts[name]++ })
		defer j.note(func() { j.ends[name]++ })
		for next := c.Position().Offset; ; {
			records, err := c.Read(ctx, next, 1)
			if err != nil {
				return errIfAlive(ctx, err)
			}
			next = records[len(records)-1].Offset + 1
			if err := c.Commit(ctx, stream.Position{Offset: next}); err != nil {
				return errIfAlive(ctx, err)
			}
			j.note(func() { j.read[name] = next })
		}
	}
}

func errIfAlive(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// join consumes until leave is called.
func join(t *testing.T, log *Log, handle func(context.Context, stream.Claim) error) (leave func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- log.Consume(ctx, "events", "readers", handle) }()
	return func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
}

// A member that comes takes what it gets; the handlers of what the others keep
// go on as they are.
func TestKeptPartitionsGoOn(t *testing.T) {
	log := newLab(t, shared.Cluster(t), map[string]int{"events": 4}).open()
	j := newJournal()
	leaveFirst := join(t, log, j.reading("a"))
	owned := func(want map[string][2]int) func() bool {
		return func() bool {
			j.mu.Lock()
			defer j.mu.Unlock()
			for name, n := range want {
				if j.starts[name] != n[0] || j.ends[name] != n[1] {
					return false
				}
			}
			return true
		}
	}
	waitFor(t, "the first member owns all", owned(map[string][2]int{"a0": {1, 0}, "a1": {1, 0}, "a2": {1, 0}, "a3": {1, 0}}))
	leaveSecond := join(t, log, j.reading("b"))
	after := map[string][2]int{"a0": {1, 0}, "a1": {1, 0}, "a2": {1, 1}, "a3": {1, 1}, "b2": {1, 0}, "b3": {1, 0}}
	waitFor(t, "the second has two of them", owned(after))
	var records []stream.Record
	for p := range 4 {
		records = append(records, stream.Record{Partition: p, Value: []byte("x")})
	}
	if err := log.Append(t.Context(), "events", records); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "all have read", func() bool {
		j.mu.Lock()
		defer j.mu.Unlock()
		return j.read["a0"] == 1 && j.read["a1"] == 1 && j.read["b2"] == 1 && j.read["b3"] == 1
	})
	if !owned(after)() {
		t.Errorf("handlers began %v and ended %v, want %v", j.starts, j.ends, after)
	}
	leaveSecond()
	waitFor(t, "the first has all again", owned(map[string][2]int{"a0": {1, 0}, "a1": {1, 0}, "a2": {2, 1}, "a3": {2, 1}}))
	leaveFirst()
}

// A handler that does not come to rest when the group meets loses its claim, and
// what it commits then is refused.
func TestHandlerAtWorkLosesItsClaim(t *testing.T) {
	log := newLab(t, shared.Cluster(t), map[string]int{"events": 1}).open()
	claims, lost := make(chan stream.Claim, 8), make(chan struct{}, 8)
	atWork := func(ctx context.Context, c stream.Claim) error {
		claims <- c
		<-ctx.Done()
		lost <- struct{}{}
		return nil
	}
	leaveFirst := join(t, log, atWork)
	old := <-claims
	leaveSecond := join(t, log, atWork)
	<-lost
	next := <-claims
	if err := next.Commit(t.Context(), stream.Position{Metadata: "next"}); err != nil {
		t.Errorf("a commit of the owner: %v", err)
	}
	if err := old.Commit(t.Context(), stream.Position{Metadata: "old"}); !errors.Is(err, stream.ErrFenced) {
		t.Errorf("a commit of the old claim: %v", err)
	}
	leaveFirst()
	leaveSecond()
}

// A partition whose claim was lost by a refused commit gets a new handler when
// the same member gets it again, although nobody has committed anything since.
func TestLostClaimIsTakenAnew(t *testing.T) {
	log := newLab(t, shared.Cluster(t), map[string]int{"events": 2}).open()
	j := newJournal()
	refused := make(chan error, 1)
	first := func(ctx context.Context, c stream.Claim) error {
		own := c.(*claim)
		if own.mu.Lock(); own.partition == 0 && len(refused) == 0 {
			own.ticket.member = "nobody"
		}
		own.mu.Unlock()
		if err := c.Commit(ctx, c.Position()); err != nil {
			refused <- err
			return nil
		}
		return j.reading("a")(ctx, c)
	}
	leaveFirst := join(t, log, first)
	waitFor(t, "a commit is refused", func() bool { return len(refused) == 1 })
	leaveSecond := join(t, log, j.reading("b"))
	waitFor(t, "both members have one", func() bool {
		j.mu.Lock()
		defer j.mu.Unlock()
		return j.starts["a0"] == 1 && j.starts["b1"] == 1
	})
	if err := <-refused; !errors.Is(err, stream.ErrFenced) {
		t.Errorf("the refused commit: %v", err)
	}
	leaveSecond()
	leaveFirst()
}
