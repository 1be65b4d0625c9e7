package streamtest

import (
	"context"
	"errors"
	"testing"

	"github.com/klaxon-dev/klaxon/stream"
)

func testReadFromAnywhere(t *testing.T, factory Factory) {
	ctx := testContext(t)
	log := oneTopic(t, factory, 1)()
	var want []stream.Record
	for i := range 6 {
		records := numbered(0, 50*i, 50)
		mustAppend(ctx, t, log, events, records...)
		want = append(want, records...)
	}
	c := consume(ctx, t, log, events, group).claim(ctx)
	for from := len(want) - 1; from >= 0; from -= 7 {
		checkValues(t, readUntil(ctx, t, c, int64(from), int64(len(want)), 1<<20), want[from:])
	}
}

func testReadIsBounded(t *testing.T, factory Factory) {
	ctx := testContext(t)
	log := oneTopic(t, factory, 1)()
	const n, size = 100, 10_000
	records := make([]stream.Record, n)
	for i := range records {
		records[i] = stream.Record{Value: pad(size)}
	}
	mustAppend(ctx, t, log, events, records...)
	c := consume(ctx, t, log, events, group).claim(ctx)
	for _, maxBytes := range []int{1, size - 1, size, 5 * size, 2 * n * size} {
		for from := int64(0); from < n; {
			got, err := c.Read(ctx, from, maxBytes)
			if err != nil {
				t.Fatalf("read: %v", err)
			}
			if len(got) == 0 || len(got)*size >= maxBytes+2*size {
				t.Fatalf("read %d records of %d bytes within %d", len(got), size, maxBytes)
			}
			from += int64(len(got))
		}
	}
}

func testReadWaits(t *testing.T, factory Factory) {
	ctx := testContext(t)
	log := oneTopic(t, factory, 2)()
	c := consume(ctx, t, log, events, group).all(ctx, 2)[1]
	for i := range 5 {
		read := make(chan []stream.Record, 1)
		go func() {
			records, err := c.Read(ctx, int64(i), 1<<20)
			if err != nil {
				t.Errorf("read: %v", err)
			}
			read <- records
		}()
		mustAppend(ctx, t, log, events, value(0, "of another partition"))
		select {
		case records := <-read:
			t.Fatalf("read returned %d records before there was one", len(records))
		default:
		}
		mustAppend(ctx, t, log, events, value(1, "%d", i))
		checkValues(t, <-read, numbered(1, i, 1))
	}
}

func testReadIsCancelled(t *testing.T, factory Factory) {
	ctx := testContext(t)
	log := oneTopic(t, factory, 1)()
	c := consume(ctx, t, log, events, group).claim(ctx)
	reading, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() {
		_, err := c.Read(reading, 0, 1<<20)
		done <- err
	}()
	cancel()
	select {
	case err := <-done:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("read: %v, want the context's error", err)
		}
	case <-ctx.Done():
		t.Fatal("read goes on after its context has ended")
	}
	mustAppend(ctx, t, log, events, value(0, "0"))
	checkValues(t, readUntil(ctx, t, c, 0, 1, 1), numbered(0, 0, 1))
}

func testTailWhileAppending(t *testing.T, factory Factory) {
	ctx := testContext(t)
	log := oneTopic(t, factory, 1)()
	c := consume(ctx, t, log, events, group).claim(ctx)
	const appends, each = 50, 20
	failed := make(chan error, 1)
	go func() {
		defer close(failed)
		for i := range appends {
			if err := log.Append(ctx, events, numbered(0, each*i, each)); err != nil {
				failed <- err
				return
			}
		}
	}()
	got := readUntil(ctx, t, c, 0, appends*each, 300)
	if err := <-failed; err != nil {
		t.Fatalf("append: %v", err)
	}
	checkValues(t, got, numbered(0, 0, appends*each))
	Eventually(ctx, t, "the end is known", func() bool { return c.End() == appends*each })
}

func testTopicsAreApart(t *testing.T, factory Factory) {
	ctx := testContext(t)
	topics := map[string]int{"events": 2, "event": 1, "events-more": 1}
	log := factory(t, Config{Topics: topics, MaxRecordBytes: 1 << 20}).Open()
	for topic, partitions := range topics {
		for p := range partitions {
			mustAppend(ctx, t, log, topic, value(p, "%s/%d first", topic, p), value(p, "%s/%d second", topic, p))
		}
	}
	for topic, partitions := range topics {
		for p := range partitions {
			want := []stream.Record{value(p, "%s/%d first", topic, p), value(p, "%s/%d second", topic, p)}
			checkValues(t, contents(ctx, t, log, topic, p), want)
		}
	}
}
