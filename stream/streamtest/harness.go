package streamtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/klaxon-dev/klaxon/stream"
)

// patience is how long a test waits for what must come: brokers take seconds to
// hand partitions out.
const patience = time.Minute

// The topic and group that most tests use.
const (
	events = "events"
	group  = "readers"
)

// testContext ends with the test's patience.
func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// place makes a place with the topic events.
func place(t *testing.T, factory Factory, partitions int) Place {
	return factory(t, Config{Topics: map[string]int{events: partitions}, MaxRecordBytes: 1 << 20})
}

// oneTopic makes a log with the topic events.
func oneTopic(t *testing.T, factory Factory, partitions int) (open func() stream.Log) {
	return place(t, factory, partitions).Open
}

// value returns a record with a value.
func value(partition int, format string, args ...any) stream.Record {
	return stream.Record{Partition: partition, Value: fmt.Appendf(nil, format, args...)}
}

// numbered returns n records of a partition with the values from, from+1, …
func numbered(partition, from, n int) []stream.Record {
	records := make([]stream.Record, n)
	for i := range records {
		records[i] = value(partition, "%d", from+i)
	}
	return records
}

func mustAppend(ctx context.Context, t *testing.T, p stream.Producer, topic string, records ...stream.Record) {
	t.Helper()
	if err := p.Append(ctx, topic, records); err != nil {
		t.Fatalf("append: %v", err)
	}
}

func mustClose(t *testing.T, log stream.Log) {
	t.Helper()
	if err := log.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
}

// session is one call of Consume. Its claims come on claims; the handlers stay
// until their contexts end.
type session struct {
	t      *testing.T
	claims chan owned
	stop   context.CancelFunc
	done   chan error
}

// owned is a claim and its context.
type owned struct {
	stream.Claim
	ctx context.Context
}

// consume starts to consume. The session ends with the test at the latest.
func consume(ctx context.Context, t *testing.T, log stream.Consumer, topic, group string) *session {
	ctx, stop := context.WithCancel(ctx)
	s := &session{t: t, claims: make(chan owned, 64), stop: stop, done: make(chan error, 1)}
	go func() {
		s.done <- log.Consume(ctx, topic, group, func(ctx context.Context, c stream.Claim) error {
			s.claims <- owned{c, ctx}
			<-ctx.Done()
			return nil
		})
		close(s.done)
	}()
	t.Cleanup(func() { stop(); _ = <-s.done })
	return s
}

// claim waits for the next claim.
func (s *session) claim(ctx context.Context) owned {
	s.t.Helper()
	select {
	case c := <-s.claims:
		return c
	case err := <-s.done:
		s.t.Fatalf("consume ended before a claim came: %v", err)
	case <-ctx.Done():
		s.t.Fatal("no claim came")
	}
	panic("not reached")
}

// all waits for claims of all partitions, by partition.
func (s *session) all(ctx context.Context, partitions int) map[int]owned {
	s.t.Helper()
	claims := make(map[int]owned)
	for len(claims) < partitions {
		c := s.claim(ctx)
		claims[c.Partition()] = c
	}
	return claims
}

// end leaves the group.
func (s *session) end() {
	s.t.Helper()
	s.stop()
	if err := <-s.done; err != nil && !errors.Is(err, context.Canceled) {
		s.t.Fatalf("consume: %v", err)
	}
}

// readUntil reads the records [from, until).
func readUntil(ctx context.Context, t *testing.T, c stream.Claim, from, until int64, maxBytes int) []stream.Record {
	t.Helper()
	var records []stream.Record
	for from < until {
		some, err := c.Read(ctx, from, maxBytes)
		if err != nil {
			t.Fatalf("read at %d: %v", from, err)
		}
		if len(some) == 0 {
			t.Fatalf("read at %d: no record and no error", from)
		}
		for i := range some {
			if some[i].Offset != from || some[i].Partition != c.Partition() {
				t.Fatalf("read a record of %d at %d, want %d at %d", some[i].Partition, some[i].Offset, c.Partition(), from)
			}
			from++
		}
		records = append(records, some...)
	}
	return records
}

// contents reads what is held of a partition, as a group of its own that never
// commits.
func contents(ctx context.Context, t *testing.T, log stream.Log, topic string, partition int) []stream.Record {
	t.Helper()
	s := consume(ctx, t, log, topic, "contents")
	defer s.end()
	c := s.all(ctx, log.Partitions(topic))[partition]
	return readUntil(ctx, t, c, c.Position().Offset, c.End(), 1<<20)
}

// values returns the values of records.
func values(records []stream.Record) []string {
	out := make([]string, len(records))
	for i := range records {
		out[i] = string(records[i].Value)
	}
	return out
}

func checkValues(t *testing.T, got []stream.Record, want []stream.Record) {
	t.Helper()
	if diff := cmp.Diff(values(want), values(got)); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

// Eventually polls until f holds; the test fails when ctx ends before.
func Eventually(ctx context.Context, t *testing.T, what string, f func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("it never came that %s", what)
		}
	}
}

// pad returns n bytes that do not compress to nothing.
func pad(n int) []byte {
	b := bytes.Repeat([]byte("0123456789abcdef"), n/16+1)[:n]
	for i := range b {
		b[i] += byte(i * i >> 7)
	}
	return b
}

// noise returns n bytes that do not compress.
func noise(seed, n int) []byte {
	out, x := make([]byte, n), uint64(seed)+1
	for i := range out {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		out[i] = byte(x >> 24)
	}
	return out
}

// held returns the bytes of the heap that are in use.
func held() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// owners counts who owns what.
type owners struct {
	mu     sync.Mutex
	now    map[int]int // partition → owners
	doubly bool
}

func (o *owners) add(partition, n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.now == nil {
		o.now = make(map[int]int)
	}
	o.now[partition] += n
	o.doubly = o.doubly || o.now[partition] > 1
}

func (o *owners) count() (owned int, doubly bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, n := range o.now {
		owned += n
	}
	return owned, o.doubly
}
