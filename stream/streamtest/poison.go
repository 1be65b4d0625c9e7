package streamtest

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/klaxon-dev/klaxon/stream"
)

// testPoisonStopsItsPartition has a record that its reader refuses, as one of a
// newer major version is: it stops there, every time, until somebody steps over
// it; its neighbours and the other partitions lose nothing.
func testPoisonStopsItsPartition(t *testing.T, factory Factory) {
	ctx := testContext(t)
	log := oneTopic(t, factory, 2)()
	const n, poison = 10, 5
	mustAppend(ctx, t, log, events, append(numbered(0, 0, n), numbered(1, 0, n)...)...)
	boom := errors.New("a newer major version")
	var mu sync.Mutex
	got := [2][]stream.Record{}
	reading := func(skips bool) func(context.Context, stream.Claim) error {
		return func(ctx context.Context, c stream.Claim) error {
			for next := c.Position().Offset; next < n; {
				records, err := c.Read(ctx, next, 1)
				if err != nil {
					return err
				}
				poisoned := c.Partition() == 0 && next == poison
				if poisoned && !skips {
					return boom
				}
				mu.Lock()
				got[c.Partition()] = append(got[c.Partition()], records[0])
				mu.Unlock()
				next++
				if err := c.Commit(context.WithoutCancel(ctx), stream.Position{Offset: next}); err != nil {
					return err
				}
			}
			<-ctx.Done()
			return nil
		}
	}
	for range 2 {
		if err := log.Consume(ctx, events, group, reading(false)); !errors.Is(err, boom) {
			t.Fatalf("consume: %v, want the handler's error", err)
		}
		if len(got[0]) != poison {
			t.Fatalf("%d records before the one that is refused, want %d", len(got[0]), poison)
		}
	}
	reader, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- log.Consume(reader, events, group, reading(true)) }()
	Eventually(ctx, t, "all is read", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(got[0]) >= n && len(got[1]) >= n
	})
	stop()
	if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("consume: %v", err)
	}
	for p := range got {
		checkValues(t, got[p], numbered(p, 0, n))
	}
}

// testOversizeSparesNeighbours appends records that are too large among others:
// they are refused, whoever they came with, and nobody else.
func testOversizeSparesNeighbours(t *testing.T, factory Factory) {
	ctx := testContext(t)
	const limit, each = 1 << 20, 20
	log := factory(t, Config{Topics: map[string]int{events: 1}, MaxRecordBytes: limit}).Open()
	var work sync.WaitGroup
	for a := range 4 {
		work.Go(func() {
			for i := range each {
				if err := log.Append(ctx, events, []stream.Record{value(0, "%d %d", a, i)}); err != nil {
					t.Errorf("append beside one that is too large: %v", err)
				}
			}
		})
	}
	large := stream.Record{Value: pad(2 * limit)}
	for range each {
		for _, records := range [][]stream.Record{{large}, {value(0, "with it"), large}} {
			if err := log.Append(ctx, events, records); !errors.Is(err, stream.ErrTooLarge) {
				t.Errorf("append of %d records, one too large: %v", len(records), err)
			}
		}
	}
	work.Wait()
	var others []stream.Record
	for _, r := range contents(ctx, t, log, events, 0) {
		if string(r.Value) != "with it" { // on an error some may have been appended
			others = append(others, r)
		}
	}
	checkAppenders(t, others, 4, each)
}

// testDamageIsNotSteppedOver spoils a record where it is kept: whoever reads it
// gets an error, or waits; never other bytes, and never the next record in its
// place. Its neighbours are read.
func testDamageIsNotSteppedOver(t *testing.T, factory Factory) {
	ctx := testContext(t)
	place := place(t, factory, 1)
	log := place.Open()
	var want []stream.Record
	for i := range 5 {
		want = append(want, stream.Record{Value: noise(i, 16<<10)})
	}
	appendEach(ctx, t, log, want)
	mustClose(t, log)
	place.Damage(want[2].Value)

	log = place.Open()
	c := consume(ctx, t, log, events, group).claim(ctx)
	check := func(from, until int64) {
		t.Helper()
		for i, r := range readUntil(ctx, t, c, from, until, 1) {
			if !bytes.Equal(r.Value, want[from+int64(i)].Value) {
				t.Errorf("record %d is not what was appended", r.Offset)
			}
		}
	}
	check(0, 2)
	soon, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	records, err := c.Read(soon, 2, 1)
	var gap *stream.GapError
	switch {
	case err == nil:
		t.Errorf("read record %d of %d bytes where one is damaged", records[0].Offset, len(records[0].Value))
	case errors.As(err, &gap) && (gap.From != 2 || gap.To != 3 || gap.Why == nil):
		t.Errorf("the damaged record is called a gap from %d to %d: %v", gap.From, gap.To, gap.Why)
	}
	t.Logf("the damaged record: %v", err)
	check(3, 5)
	check(0, 2)
}
