package streamtest

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/klaxon-dev/klaxon/stream"
)

func mustCommit(ctx context.Context, t *testing.T, c stream.Claim, p stream.Position) {
	t.Helper()
	if err := c.Commit(ctx, p); err != nil {
		t.Fatalf("commit: %v", err)
	}
}

func checkPosition(t *testing.T, c stream.Claim, want stream.Position) {
	t.Helper()
	if got := c.Position(); got != want {
		t.Errorf("position %+v, want %+v", got, want)
	}
}

func testPositions(t *testing.T, factory Factory) {
	ctx := testContext(t)
	log := oneTopic(t, factory, 2)()
	mustAppend(ctx, t, log, events, numbered(0, 0, 10)...)
	s := consume(ctx, t, log, events, group)
	claims := s.all(ctx, 2)
	checkPosition(t, claims[0], stream.Position{})
	Eventually(ctx, t, "the end is known", func() bool { return claims[0].End() == 10 && claims[1].End() == 0 })
	for i := range int64(5) {
		want := stream.Position{Offset: i, Metadata: strings.Repeat("m", int(i))}
		mustCommit(ctx, t, claims[0], want)
		checkPosition(t, claims[0], want)
	}
	s.end()
	claims = consume(ctx, t, log, events, group).all(ctx, 2)
	checkPosition(t, claims[0], stream.Position{Offset: 4, Metadata: "mmmm"})
	checkPosition(t, claims[1], stream.Position{})
}

func testPositionsAcrossReopen(t *testing.T, factory Factory) {
	ctx := testContext(t)
	open := oneTopic(t, factory, 2)
	for i := range int64(3) {
		log := open()
		mustAppend(ctx, t, log, events, numbered(1, int(i), 1)...)
		claims := consume(ctx, t, log, events, group).all(ctx, 2)
		if i > 0 {
			checkPosition(t, claims[1], stream.Position{Offset: i, Metadata: "done"})
		}
		checkPosition(t, claims[0], stream.Position{})
		mustCommit(ctx, t, claims[1], stream.Position{Offset: i + 1, Metadata: "done"})
		mustClose(t, log)
	}
}

func testPositionsGoBack(t *testing.T, factory Factory) {
	ctx := testContext(t)
	log := oneTopic(t, factory, 1)()
	mustAppend(ctx, t, log, events, numbered(0, 0, 10)...)
	s := consume(ctx, t, log, events, group)
	c := s.claim(ctx)
	mustCommit(ctx, t, c, stream.Position{Offset: 8, Metadata: "far"})
	mustCommit(ctx, t, c, stream.Position{Offset: 2})
	s.end()
	c = consume(ctx, t, log, events, group).claim(ctx)
	checkPosition(t, c, stream.Position{Offset: 2})
	checkValues(t, readUntil(ctx, t, c, 2, 10, 1<<20), numbered(0, 2, 8))
}

func testMetadataIsBounded(t *testing.T, factory Factory) {
	ctx := testContext(t)
	log := oneTopic(t, factory, 1)()
	c := consume(ctx, t, log, events, group).claim(ctx)
	want := stream.Position{Metadata: strings.Repeat("m", stream.MaxMetadataBytes)}
	mustCommit(ctx, t, c, want)
	if err := c.Commit(ctx, stream.Position{Metadata: strings.Repeat("m", stream.MaxMetadataBytes+1)}); err == nil {
		t.Error("more metadata than the bound were taken")
	}
	checkPosition(t, c, want)
}

// testMetadataIsText keeps any text, and refuses what is none: a log may keep it as
// something else.
func testMetadataIsText(t *testing.T, factory Factory) {
	ctx := testContext(t)
	log := oneTopic(t, factory, 1)()
	s := consume(ctx, t, log, events, group)
	c := s.claim(ctx)
	want := stream.Position{Metadata: "ä\n\"\\\x00\U0001f600"}
	mustCommit(ctx, t, c, want)
	if err := c.Commit(ctx, stream.Position{Metadata: "\xff"}); err == nil {
		t.Error("metadata that are no text were taken")
	}
	s.end()
	checkPosition(t, consume(ctx, t, log, events, group).claim(ctx), want)
}

// testCommitIsCancelled has a Commit's context end before it begins: the position
// is the one or the other, and moves on.
func testCommitIsCancelled(t *testing.T, factory Factory) {
	ctx := testContext(t)
	log := oneTopic(t, factory, 1)()
	mustAppend(ctx, t, log, events, numbered(0, 0, 10)...)
	s := consume(ctx, t, log, events, group)
	c := s.claim(ctx)
	mustCommit(ctx, t, c, stream.Position{Offset: 3})
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if err := c.Commit(ended, stream.Position{Offset: 5}); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("commit: %v, want the context's error", err)
	}
	if p := c.Position(); p.Offset != 3 && p.Offset != 5 {
		t.Errorf("position %+v, want 3 or 5", p)
	}
	mustCommit(ctx, t, c, stream.Position{Offset: 7})
	s.end()
	checkPosition(t, consume(ctx, t, log, events, group).claim(ctx), stream.Position{Offset: 7})
}

// testReplays has a position keep what its next owner reads again.
func testReplays(t *testing.T, factory Factory) {
	ctx := testContext(t)
	open := oneTopic(t, factory, 1)
	want := stream.Position{Offset: 8, Replay: 5, Metadata: "m"}
	for reopened := range 2 {
		log := open()
		if reopened == 0 {
			mustAppend(ctx, t, log, events, numbered(0, 0, 10)...)
		}
		s := consume(ctx, t, log, events, group)
		c := s.claim(ctx)
		if reopened == 1 {
			checkPosition(t, c, want)
		}
		mustCommit(ctx, t, c, want)
		for _, replay := range []int64{-1, 9} {
			if err := c.Commit(ctx, stream.Position{Offset: 8, Replay: replay}); err == nil {
				t.Errorf("a position of 8 with a replay of %d was taken", replay)
			}
		}
		s.end()
		c = consume(ctx, t, log, events, group).claim(ctx)
		checkPosition(t, c, want)
		if got := c.Position().Horizon(); got != 3 {
			t.Errorf("horizon %d, want 3", got)
		}
		checkValues(t, readUntil(ctx, t, c, want.Horizon(), 10, 1<<20), numbered(0, 3, 7))
		mustClose(t, log)
	}
}

func testGroupsAreIndependent(t *testing.T, factory Factory) {
	ctx := testContext(t)
	log := oneTopic(t, factory, 1)()
	mustAppend(ctx, t, log, events, numbered(0, 0, 10)...)
	first := consume(ctx, t, log, events, "first").claim(ctx)
	second := consume(ctx, t, log, events, "second").claim(ctx)
	mustCommit(ctx, t, first, stream.Position{Offset: 7, Metadata: "first"})
	checkPosition(t, second, stream.Position{})
	for _, c := range []owned{first, second} {
		checkValues(t, readUntil(ctx, t, c, 0, 10, 1<<20), numbered(0, 0, 10))
	}
	mustCommit(ctx, t, second, stream.Position{Offset: 3, Metadata: "second"})
	checkPosition(t, first, stream.Position{Offset: 7, Metadata: "first"})
}

// testOneOwner has members come and go: no partition ever has two owners, and
// in the end all have one.
func testOneOwner(t *testing.T, factory Factory) {
	ctx := testContext(t)
	const partitions = 3
	log := oneTopic(t, factory, partitions)()
	var owners owners
	join := func() (leave func()) {
		ctx, cancel := context.WithCancel(ctx)
		done := make(chan error, 1)
		go func() {
			done <- log.Consume(ctx, events, group, func(ctx context.Context, c stream.Claim) error {
				owners.add(c.Partition(), 1)
				<-ctx.Done()
				owners.add(c.Partition(), -1)
				return nil
			})
		}()
		return func() {
			cancel()
			if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("consume: %v", err)
			}
		}
	}
	allOwned := func() {
		t.Helper()
		Eventually(ctx, t, "all partitions are owned", func() bool {
			owned, _ := owners.count()
			return owned == partitions
		})
	}
	var leave []func()
	for range 3 {
		leave = append(leave, join())
		allOwned()
	}
	for _, f := range leave[:2] {
		f()
		allOwned()
	}
	leave[2]()
	if owned, doubly := owners.count(); owned != 0 || doubly {
		t.Errorf("%d partitions have an owner in the end; two owners at once: %v", owned, doubly)
	}
}

// testHandOver has each member process some records and leave: together they
// process each record once.
func testHandOver(t *testing.T, factory Factory) {
	ctx := testContext(t)
	log := oneTopic(t, factory, 1)()
	const n, each = 12, 4
	mustAppend(ctx, t, log, events, numbered(0, 0, n)...)
	var got []stream.Record
	for len(got) < n {
		s := consume(ctx, t, log, events, group)
		c := s.claim(ctx)
		from := c.Position().Offset
		records := readUntil(ctx, t, c, from, from+each, 1)
		mustCommit(ctx, t, c, stream.Position{Offset: from + each})
		got = append(got, records...)
		s.end()
	}
	checkValues(t, got, numbered(0, 0, n))
}

func testOldOwnerIsFenced(t *testing.T, factory Factory) {
	ctx := testContext(t)
	log := oneTopic(t, factory, 1)()
	mustAppend(ctx, t, log, events, numbered(0, 0, 10)...)
	s := consume(ctx, t, log, events, group)
	old := s.claim(ctx)
	mustCommit(ctx, t, old, stream.Position{Offset: 3})
	s.end()
	s = consume(ctx, t, log, events, group)
	owner := s.claim(ctx)
	mustCommit(ctx, t, owner, stream.Position{Offset: 5})
	if err := old.Commit(ctx, stream.Position{Offset: 9}); !errors.Is(err, stream.ErrFenced) {
		t.Errorf("commit by the old owner: %v, want ErrFenced", err)
	}
	checkPosition(t, owner, stream.Position{Offset: 5})
	s.end()
	checkPosition(t, consume(ctx, t, log, events, group).claim(ctx), stream.Position{Offset: 5})
}

func testHandlerFails(t *testing.T, factory Factory) {
	ctx := testContext(t)
	const partitions = 3
	log := oneTopic(t, factory, partitions)()
	boom := errors.New("boom")
	var others atomic.Int32
	err := log.Consume(ctx, events, group, func(ctx context.Context, c stream.Claim) error {
		if c.Partition() == 1 {
			return boom
		}
		<-ctx.Done()
		others.Add(1)
		return ctx.Err()
	})
	if !errors.Is(err, boom) {
		t.Errorf("consume: %v, want the handler's error", err)
	}
	if n := others.Load(); n != partitions-1 {
		t.Errorf("%d other handlers had returned, want %d", n, partitions-1)
	}
	// The group is free again.
	consume(ctx, t, log, events, group).all(ctx, partitions)
}

// testHandlerReturns has a handler end early without an error: the others go on.
func testHandlerReturns(t *testing.T, factory Factory) {
	ctx := testContext(t)
	log := oneTopic(t, factory, 2)()
	consuming, stop := context.WithCancel(ctx)
	returned := make(chan struct{})
	err := log.Consume(consuming, events, group, func(ctx context.Context, c stream.Claim) error {
		if c.Partition() == 0 {
			close(returned)
			return nil
		}
		<-returned
		err := log.Append(ctx, events, numbered(1, 0, 1))
		if err == nil {
			_, err = c.Read(ctx, 0, 1)
		}
		stop()
		return err
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("consume: %v", err)
	}
}

func testConsumeEndsWithContext(t *testing.T, factory Factory) {
	ctx := testContext(t)
	log := oneTopic(t, factory, 2)()
	var handlers atomic.Int32
	consuming, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan error, 1)
	go func() {
		done <- log.Consume(consuming, events, group, func(ctx context.Context, c stream.Claim) error {
			handlers.Add(1)
			defer handlers.Add(-1)
			_, err := c.Read(ctx, 0, 1)
			return err
		})
	}()
	Eventually(ctx, t, "both handlers run", func() bool { return handlers.Load() == 2 })
	stop()
	select {
	case err := <-done:
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("consume: %v", err)
		}
	case <-ctx.Done():
		t.Fatal("consume goes on after its context has ended")
	}
	if n := handlers.Load(); n != 0 {
		t.Errorf("consume returned before %d handlers", n)
	}
}

func testClose(t *testing.T, factory Factory) {
	ctx := testContext(t)
	open := oneTopic(t, factory, 1)
	log := open()
	mustAppend(ctx, t, log, events, numbered(0, 0, 3)...)
	committed := make(chan error, 1)
	consumed := make(chan error, 1)
	running := make(chan struct{})
	go func() {
		consumed <- log.Consume(ctx, events, group, func(ctx context.Context, c stream.Claim) error {
			close(running)
			_, err := c.Read(ctx, 3, 1)
			// What a handler still commits on its way out counts.
			committed <- c.Commit(context.WithoutCancel(ctx), stream.Position{Offset: 3})
			return err
		})
	}()
	select {
	case <-running:
	case <-ctx.Done():
		t.Fatal("no claim came")
	}
	mustClose(t, log)
	if err := <-committed; err != nil {
		t.Errorf("commit while the log closed: %v", err)
	}
	_ = <-consumed
	if err := log.Append(ctx, events, numbered(0, 3, 1)); err == nil {
		t.Error("a closed log took a record")
	}
	if err := log.Consume(ctx, events, group, func(context.Context, stream.Claim) error { return nil }); err == nil {
		t.Error("a closed log was consumed")
	}
	log = open()
	checkPosition(t, consume(ctx, t, log, events, group).claim(ctx), stream.Position{Offset: 3})
	checkValues(t, contents(ctx, t, log, events, 0), numbered(0, 0, 3))
}
