package streamtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/klaxon-dev/klaxon/stream"
)

func testPartitions(t *testing.T, factory Factory) {
	log := factory(t, Config{Topics: map[string]int{"events": 3, "findings": 1}, MaxRecordBytes: 1 << 20}).Open()
	for topic, want := range map[string]int{"events": 3, "findings": 1, "unknown": 0} {
		if got := log.Partitions(topic); got != want {
			t.Errorf("topic %s has %d partitions, want %d", topic, got, want)
		}
	}
}

func testRoundTrip(t *testing.T, factory Factory) {
	ctx := testContext(t)
	log := oneTopic(t, factory, 1)()
	want := []stream.Record{
		{Key: []byte("key"), Value: []byte("value"), Headers: []stream.Header{{Key: "a", Value: []byte("1")}, {Key: "b", Value: []byte("2")}, {Key: "a", Value: []byte("3")}}},
		{Value: []byte("no key, no headers")},
		{Key: []byte("no value")},
		{Key: []byte{0, 0xff}, Value: []byte{0, 0xff, '\n'}, Headers: []stream.Header{{Key: "", Value: nil}, {Key: "empty", Value: nil}}},
		{Key: []byte("long"), Value: pad(300_000)},
	}
	before := time.Now()
	mustAppend(ctx, t, log, events, want...)
	got := contents(ctx, t, log, events, 0)
	ignore := cmpopts.IgnoreFields(stream.Record{}, "Offset", "Time")
	if diff := cmp.Diff(want, got, ignore, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	for _, r := range got {
		if r.Time.Location() != time.UTC {
			t.Errorf("the time of record %d is in %v, want UTC", r.Offset, r.Time.Location())
		}
		if d := r.Time.Sub(before); d < -time.Hour || d > time.Hour {
			t.Errorf("the time of record %d is %v away from now", r.Offset, d)
		}
	}
	if h := got[0].Header("a"); string(h) != "1" {
		t.Errorf("header a is %q, want the first, 1", h)
	}
}

func testOffsets(t *testing.T, factory Factory) {
	ctx := testContext(t)
	log := oneTopic(t, factory, 2)()
	var want [2][]stream.Record
	for i := range 20 {
		var batch []stream.Record
		for j := range 10 {
			r := value((i+j*j)%2, "%d.%d", i, j)
			batch = append(batch, r)
			want[r.Partition] = append(want[r.Partition], r)
		}
		mustAppend(ctx, t, log, events, batch...)
	}
	for p := range want {
		got := contents(ctx, t, log, events, p) // checks the offsets
		checkValues(t, got, want[p])
		for i := 1; i < len(got); i++ {
			if got[i].Time.Before(got[i-1].Time) {
				t.Errorf("time goes back from %v to %v", got[i-1].Time, got[i].Time)
			}
		}
	}
}

func testOffsetsAcrossReopen(t *testing.T, factory Factory) {
	ctx := testContext(t)
	open := oneTopic(t, factory, 1)
	var want []stream.Record
	for i := range 4 {
		log := open()
		records := numbered(0, 10*i, 10)
		mustAppend(ctx, t, log, events, records...)
		want = append(want, records...)
		checkValues(t, contents(ctx, t, log, events, 0), want)
		mustClose(t, log)
	}
}

func testEmptyAppend(t *testing.T, factory Factory) {
	ctx := testContext(t)
	log := oneTopic(t, factory, 1)()
	mustAppend(ctx, t, log, events)
	if got := contents(ctx, t, log, events, 0); len(got) != 0 {
		t.Errorf("%d records of none", len(got))
	}
}

func testSlicesAreTheCallers(t *testing.T, factory Factory) {
	ctx := testContext(t)
	log := oneTopic(t, factory, 1)()
	r := stream.Record{Key: []byte("key"), Value: []byte("value"), Headers: []stream.Header{{Key: "h", Value: []byte("v")}}}
	mustAppend(ctx, t, log, events, r)
	spoil := func(r stream.Record) {
		for _, b := range [][]byte{r.Key, r.Value, r.Headers[0].Value} {
			for i := range b {
				b[i] = '!'
			}
		}
	}
	spoil(r)
	for range 2 { // the second time after the first read was spoilt
		got := contents(ctx, t, log, events, 0)[0]
		if string(got.Key) != "key" || string(got.Value) != "value" || string(got.Header("h")) != "v" {
			t.Errorf("read %q=%q, header %q", got.Key, got.Value, got.Header("h"))
		}
		spoil(got)
	}
}

func testTooLarge(t *testing.T, factory Factory) {
	ctx := testContext(t)
	const limit = 1 << 20
	log := factory(t, Config{Topics: map[string]int{events: 1}, MaxRecordBytes: limit}).Open()
	large := stream.Record{Value: pad(limit)}
	mustAppend(ctx, t, log, events, large)
	over := []stream.Record{
		{Value: pad(2 * limit)},
		{Key: pad(2 * limit)},
		{Headers: []stream.Header{{Key: "h", Value: pad(2 * limit)}}},
	}
	for i, r := range over {
		if err := log.Append(ctx, events, []stream.Record{r}); !errors.Is(err, stream.ErrTooLarge) {
			t.Errorf("record %d of twice the bound: %v, want ErrTooLarge", i, err)
		}
	}
	mustAppend(ctx, t, log, events, value(0, "after"))
	got := contents(ctx, t, log, events, 0)
	if len(got) != 2 || !bytes.Equal(got[0].Value, large.Value) || string(got[1].Value) != "after" {
		t.Errorf("the log does not hold the large record and the one after")
	}
}

func testUnknownPlaces(t *testing.T, factory Factory) {
	ctx := testContext(t)
	log := oneTopic(t, factory, 2)()
	for name, err := range map[string]error{
		"topic":              log.Append(ctx, "unknown", numbered(0, 0, 1)),
		"partition":          log.Append(ctx, events, numbered(2, 0, 1)),
		"negative partition": log.Append(ctx, events, numbered(-1, 0, 1)),
	} {
		if err == nil || errors.Is(err, stream.ErrUnavailable) {
			t.Errorf("append to an unknown %s: %v, want an error that is not temporary", name, err)
		}
	}
}

func testManyAppenders(t *testing.T, factory Factory) {
	ctx := testContext(t)
	const appenders, appends, partitions = 8, 25, 3
	open := oneTopic(t, factory, partitions)
	log := open()
	var work sync.WaitGroup
	for a := range appenders {
		work.Go(func() {
			for i := range appends {
				var batch []stream.Record
				for p := range partitions {
					batch = append(batch, value(p, "%d %d", a, 2*i), value(p, "%d %d", a, 2*i+1))
				}
				if err := log.Append(ctx, events, batch); err != nil {
					t.Errorf("append: %v", err)
				}
			}
		})
	}
	work.Wait()
	for range 2 {
		for p := range partitions {
			checkAppenders(t, contents(ctx, t, log, events, p), appenders, 2*appends)
		}
		mustClose(t, log)
		log = open()
	}
}

// testAppendIsCancelled has an Append's context end before it begins and while it
// is under way: what is said to be taken is there, and what comes later, too.
func testAppendIsCancelled(t *testing.T, factory Factory) {
	ctx := testContext(t)
	log := oneTopic(t, factory, 1)()
	ended, cancel := context.WithCancel(ctx)
	cancel()
	acknowledged := map[string]bool{}
	try := func(ctx context.Context, name string) {
		err := log.Append(ctx, events, []stream.Record{value(0, "%s", name)})
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("append: %v, want the context's error", err)
		}
		acknowledged[name] = err == nil
	}
	try(ended, "before")
	for i := range 10 {
		amid, cancel := context.WithCancel(ctx)
		go cancel()
		try(amid, fmt.Sprint(i))
	}
	mustAppend(ctx, t, log, events, value(0, "last"))
	records := contents(ctx, t, log, events, 0)
	there := map[string]int{}
	for i := range records {
		there[string(records[i].Value)]++
	}
	for name, taken := range acknowledged {
		if n := there[name]; n > 1 || taken && n == 0 {
			t.Errorf("record %s, acknowledged: %v, is there %d times", name, taken, n)
		}
	}
	if there["last"] != 1 {
		t.Errorf("the last record is there %d times", there["last"])
	}
}

// checkAppenders checks that each appender's records are there once, in order.
func checkAppenders(t *testing.T, records []stream.Record, appenders, each int) {
	t.Helper()
	next := make([]int, appenders)
	for _, r := range records {
		var a, i int
		if _, err := fmt.Sscanf(string(r.Value), "%d %d", &a, &i); err != nil {
			t.Fatalf("record %d: %v", r.Offset, err)
		}
		if i != next[a] {
			t.Fatalf("record %d of appender %d comes where %d must", i, a, next[a])
		}
		next[a]++
	}
	for a, n := range next {
		if n != each {
			t.Errorf("%d records of appender %d, want %d", n, a, each)
		}
	}
}
