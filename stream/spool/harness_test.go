package spool

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/klaxon-dev/klaxon/stream"
	"github.com/klaxon-dev/klaxon/stream/streamtest"
)

const (
	partitions = 3
	maxRecord  = 4 << 10
)

// brokers are a target in memory that can be away.
type brokers struct {
	mu      sync.Mutex
	away    map[int]bool // partitions of both topics
	err     error        // of an Append to a partition that is away; nil: ErrUnavailable
	held    map[place][]string
	appends int
	onTaken func() // called when an Append has been taken, before it returns
}

func newBrokers() *brokers { return &brokers{away: map[int]bool{}, held: map[place][]string{}} }

func (b *brokers) Partitions(string) int { return partitions }

// Append takes the records of partitions that are there, also where it fails.
func (b *brokers) Append(_ context.Context, topic string, records []stream.Record) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.appends++
	var failed error
	for _, r := range records {
		if b.away[r.Partition] {
			if failed = b.err; failed == nil {
				failed = fmt.Errorf("no leader: %w", stream.ErrUnavailable)
			}
			continue
		}
		at := place{topic, r.Partition}
		b.held[at] = append(b.held[at], string(r.Value))
	}
	if failed == nil && b.onTaken != nil {
		b.onTaken()
	}
	return failed
}

// go away, or come back.
func (b *brokers) are(away bool, some ...int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(some) == 0 {
		some = []int{0, 1, 2}
	}
	for _, p := range some {
		b.away[p] = away
	}
}

func (b *brokers) values(topic string, partition int) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.held[place{topic, partition}])
}

// once returns values without those that came before.
func once(values []string) []string {
	seen := map[string]bool{}
	return slices.DeleteFunc(slices.Clone(values), func(v string) bool {
		before := seen[v]
		seen[v] = true
		return before
	})
}

// fakeClock is a time that a test moves.
type fakeClock struct {
	mu sync.Mutex
	at time.Time
}

func newFakeClock() *fakeClock {
	return &fakeClock{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
}

func (c *fakeClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *fakeClock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// lab is a spool in front of brokers in memory.
type lab struct {
	*testing.T
	config  Config
	options Options
	brokers *brokers
	clock   *fakeClock
	spool   *Spool
}

// newLab opens a spool on a disk in memory.
func newLab(t *testing.T, change ...func(*Config, *Options)) *lab {
	t.Helper()
	l := &lab{T: t, brokers: newBrokers(), clock: newFakeClock(), config: Config{Dir: "spool"}}
	l.options = Options{
		Target:         l.brokers,
		Topics:         map[string]Topic{"events": {Partitions: partitions, Percent: 80}, "deadletter": {Partitions: partitions, Percent: 20}},
		MaxRecordBytes: maxRecord,
		Logger:         slog.New(slog.NewTextHandler(t.Output(), nil)),
		Clock:          l.clock.now,
		FS:             vfs.NewMem(),
	}
	for _, f := range change {
		f(&l.config, &l.options)
	}
	l.open()
	return l
}

// open opens the spool, which the test's end closes.
func (l *lab) open() {
	l.Helper()
	s, err := Open(l.Context(), l.config, l.options)
	if err != nil {
		l.Fatal(err)
	}
	l.spool = s
	l.Cleanup(func() { _ = s.Close() })
}

// append appends a record to each partition of the events.
func (l *lab) append(value string) error {
	return l.spool.Append(l.Context(), "events", l.records(value))
}

func (l *lab) records(value string) []stream.Record {
	var records []stream.Record
	for p := range partitions {
		records = append(records, stream.Record{
			Partition: p, Key: []byte("key"), Value: []byte(value), Headers: []stream.Header{{Key: "v", Value: []byte("1.0")}},
		})
	}
	return records
}

func (l *lab) taken(values ...string) {
	l.Helper()
	for _, v := range values {
		if err := l.append(v); err != nil {
			l.Fatalf("append %s: %v", v, err)
		}
	}
}

// begin has the brokers away for so long that the spool takes over.
func (l *lab) begin() {
	l.Helper()
	l.brokers.are(true)
	for l.append("first") != nil {
		l.clock.move(time.Minute)
	}
	if _, ok := l.spool.Spooling(); !ok {
		l.Fatal("it is not spooling")
	}
}

// direct waits until the spool is drained.
func (l *lab) direct() {
	l.Helper()
	waitFor(l.T, "the spool is drained", func() bool { _, ok := l.spool.Spooling(); return !ok })
	if b := l.spool.backlog(); b.Records != 0 {
		l.Errorf("%d records are left", b.Records)
	}
}

// waitFor polls until f holds.
func waitFor(t *testing.T, what string, f func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	streamtest.Eventually(ctx, t, what, f)
}
