package streamtest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klaxon-dev/klaxon/stream"
)

// testStalledLog offers a log that acknowledges nothing much more than it may hold:
// every Append returns with its context at the latest, none is acknowledged, and
// what is offered is not kept in memory. Afterwards the log takes records again.
func testStalledLog(t *testing.T, factory Factory) {
	ctx := testContext(t)
	const appenders, appends, size = 32, 8, 1 << 20 // 256 MiB
	const most = 128 << 20                          // local's bound is 64 MiB, and its store has buffers
	place := factory(t, Config{Topics: map[string]int{events: 1}, MaxRecordBytes: size, MaxInFlightBytes: 8 << 20, Alone: true})
	log := place.Open()
	mustAppend(ctx, t, log, events, value(0, "before"))
	large := []stream.Record{{Value: noise(1, size)}}
	before := held()
	resume := place.Stall()
	var work sync.WaitGroup
	var acknowledged atomic.Int32
	for range appenders {
		work.Go(func() {
			for range appends {
				soon, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
				err := log.Append(soon, events, large)
				cancel()
				switch {
				case err == nil:
					acknowledged.Add(1)
				case !errors.Is(err, stream.ErrUnavailable) && !errors.Is(err, context.DeadlineExceeded):
					t.Errorf("append to a log that stalls: %v", err)
				}
			}
		})
	}
	work.Wait()
	if n := acknowledged.Load(); n > 0 {
		t.Errorf("%d Appends were acknowledged by a log that stalls", n)
	}
	if grown := held() - before; grown > most {
		t.Errorf("%d MiB are held of %d that were offered", grown>>20, appenders*appends*size>>20)
	} else {
		t.Logf("%d MiB are held of %d that were offered", grown>>20, appenders*appends*size>>20)
	}
	resume()
	Eventually(ctx, t, "records are taken again", func() bool {
		return log.Append(ctx, events, []stream.Record{value(0, "after")}) == nil
	})
	held := contents(ctx, t, log, events, 0)
	first, last := held[0], held[len(held)-1]
	if string(first.Value) != "before" || string(last.Value) != "after" {
		t.Errorf("the log holds %d bytes first and %d last, of %d records", len(first.Value), len(last.Value), len(held))
	}
}

// testSlowReader has a reader that takes one record of many and rests: the others
// stay in the log, not in memory, and come when they are asked for.
func testSlowReader(t *testing.T, factory Factory) {
	ctx := testContext(t)
	const n, size = 48, 1 << 20
	log := factory(t, Config{Topics: map[string]int{events: 1}, MaxRecordBytes: size}).Open()
	for i := range n {
		mustAppend(ctx, t, log, events, stream.Record{Value: noise(i, size)})
	}
	c := consume(ctx, t, log, events, group).claim(ctx)
	before := held()
	first := readUntil(ctx, t, c, 0, 1, 1)
	if grown := held() - before; grown > n*size/2 {
		t.Errorf("%d MiB are held after one record of 1 was read", grown>>20)
	}
	if got := len(first) + len(readUntil(ctx, t, c, 1, n, 1)); got != n {
		t.Errorf("%d records, want %d", got, n)
	}
}
