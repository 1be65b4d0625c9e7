package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/klaxon-dev/klaxon/stream"
	"github.com/klaxon-dev/klaxon/stream/streamtest"
)

func TestConformance(t *testing.T) {
	for _, compression := range []string{CompressionS2, CompressionNone} {
		t.Run(compression, func(t *testing.T) {
			streamtest.Run(t, func(t *testing.T, c streamtest.Config) streamtest.Place {
				return newPlace(t, c, Config{MaxRecordBytes: c.MaxRecordBytes, Compression: compression})
			})
		})
	}
}

// place is where the log of a conformance test lies.
type place struct {
	*testing.T
	dir   string
	ahead atomic.Int64 // how far its clock is, nanoseconds
	disk  sync.RWMutex // who holds it writes nothing
}

func newPlace(t *testing.T, c streamtest.Config, config Config) streamtest.Place {
	p := &place{T: t, dir: t.TempDir()}
	options := Options{
		Topics: map[string]TopicConfig{}, Logger: quiet(),
		Clock: func() time.Time { return time.Now().Add(time.Duration(p.ahead.Load())) },
		FS:    errorfs.Wrap(vfs.Default, errorfs.InjectorFunc(p.syncs)),
	}
	for name, partitions := range c.Topics {
		options.Topics[name] = TopicConfig{Partitions: partitions}
	}
	return streamtest.Place{
		Open:   func() stream.Log { return mustOpen(t, p.dir, config, options) },
		Remove: p.remove,
		Keeps:  true,
		Damage: p.damage,
		Stall:  func() func() { p.disk.Lock(); return p.disk.Unlock },
	}
}

// syncs holds an fsync while the disk stalls.
func (p *place) syncs(op errorfs.Op) error {
	if op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData {
		p.disk.RLock()
		defer p.disk.RUnlock()
	}
	return nil
}

// remove lets the time pass for which records are kept.
func (p *place) remove(log stream.Log, _ int, _ int64) {
	p.ahead.Add(int64(8 * 24 * time.Hour))
	log.(*Log).retain(p.Context())
}

// damage changes bytes in the files that hold a value.
func (p *place) damage(value []byte) {
	p.Helper()
	names, err := filepath.Glob(filepath.Join(p.dir, "*"))
	if err != nil {
		p.Fatal(err)
	}
	found := false
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			p.Fatal(err)
		}
		at := bytes.Index(text, value[:64])
		if at < 0 {
			continue
		}
		found = true
		text[at+32] ^= 0xff
		if err := os.WriteFile(name, text, 0o600); err != nil {
			p.Fatal(err)
		}
	}
	if !found {
		p.Fatal("no file holds the value")
	}
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// mustOpen opens a log that is closed with the test, if not before.
func mustOpen(t testing.TB, dir string, c Config, o Options) *Log {
	t.Helper()
	log, err := Open(dir, c, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := log.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return log
}

// onePartition are options with the topic "events" of one partition.
func onePartition(o Options) Options {
	o.Topics = map[string]TopicConfig{"events": {Partitions: 1}}
	if o.Logger == nil {
		o.Logger = quiet()
	}
	return o
}

func numbered(from, n int) []stream.Record {
	records := make([]stream.Record, n)
	for i := range records {
		records[i] = stream.Record{Value: fmt.Appendf(nil, "record %d", from+i)}
	}
	return records
}

// held returns what a partition holds.
func held(t testing.TB, l *Log, topic string, partition int) []stream.Record {
	t.Helper()
	p := l.topics[topic].partitions[partition]
	first, end := p.bounds()
	var records []stream.Record
	for from := first.offset; from < end.offset; from = records[len(records)-1].Offset + 1 {
		some, _, err := l.engine.read(p, from, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, some...)
	}
	return records
}

// fakeClock is a clock that tests move.
type fakeClock struct {
	mu  sync.Mutex
	now time.Time
}

func newFakeClock() *fakeClock {
	return &fakeClock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func TestOneLogPerDirectory(t *testing.T) {
	dir := t.TempDir()
	mustOpen(t, dir, Config{}, onePartition(Options{}))
	_, err := Open(dir, Config{}, onePartition(Options{}))
	if err == nil || !strings.Contains(err.Error(), "another klaxon") {
		t.Errorf("the second log of a directory: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	topics := func(partitions int) Options {
		return Options{Logger: quiet(), FS: vfs.NewMem(), Topics: map[string]TopicConfig{"events": {Partitions: partitions}}}
	}
	f := func(name string, c Config, o Options, want string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			log, err := Open("log", c, o)
			if err == nil {
				_ = log.Close()
				t.Fatal("it was opened")
			}
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%v\nwant: … %s …", err, want)
			}
		})
	}
	f("no partitions", Config{}, topics(0), "0 partitions")
	f("name", Config{}, Options{Logger: quiet(), FS: vfs.NewMem(), Topics: map[string]TopicConfig{"a/b": {Partitions: 1}}}, "not a name")
	f("negative retention", Config{Retention: -1}, topics(1), "retention: -1ns is negative")
	f("negative bytes", Config{MaxBytes: -1}, topics(1), "max_bytes: -1 is negative")
	f("record limit", Config{MaxRecordBytes: 1 << 30}, topics(1), "max_record_bytes")
	f("free bytes", Config{MinFreeBytes: 1}, topics(1), "min_free_bytes")
	f("compression", Config{Compression: "zip"}, topics(1), `"zip" is not s2 or none`)
	f("no room for records", Config{MaxBytes: 100 << 20}, topics(2), "raise the one or lower the other")

	fewer := topics(4)
	log, err := Open("log", Config{}, fewer)
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	fewer.Topics = topics(3).Topics
	f("fewer partitions", Config{}, fewer, "made with 4 partitions")

	newer := topics(4)
	newer.FS = fewer.FS
	setLayout(t, newer, "3")
	f("newer layout", Config{}, newer, `layout "3"`)
}

func setLayout(t *testing.T, o Options, layout string) {
	t.Helper()
	log, err := Open("log", Config{}, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := log.engine.db.Set(formatKey(), []byte(layout), nil); err != nil {
		t.Fatal(err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestMorePartitions(t *testing.T) {
	dir := t.TempDir()
	o := onePartition(Options{})
	log := mustOpen(t, dir, Config{}, o)
	if err := log.Append(t.Context(), "events", numbered(0, 3)); err != nil {
		t.Fatal(err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	o.Topics["events"] = TopicConfig{Partitions: 2}
	log = mustOpen(t, dir, Config{}, o)
	if err := log.Append(t.Context(), "events", []stream.Record{{Partition: 1, Value: []byte("new")}}); err != nil {
		t.Fatal(err)
	}
	if a, b := len(held(t, log, "events", 0)), len(held(t, log, "events", 1)); a != 3 || b != 1 {
		t.Errorf("%d and %d records, want 3 and 1", a, b)
	}
}

func TestTimesNeverGoBack(t *testing.T) {
	clock, dir := newFakeClock(), t.TempDir()
	start := clock.Now()
	for i, step := range []time.Duration{0, time.Second, -time.Hour, -time.Hour, 3 * time.Hour} {
		clock.move(step)
		log := mustOpen(t, dir, Config{}, onePartition(Options{Clock: clock.Now}))
		for range 2 {
			if err := log.Append(t.Context(), "events", numbered(i, 1)); err != nil {
				t.Fatal(err)
			}
		}
		records := held(t, log, "events", 0)
		for j := 1; j < len(records); j++ {
			if records[j].Time.Before(records[j-1].Time) {
				t.Errorf("record %d is %v older than the one before", j, records[j-1].Time.Sub(records[j].Time))
			}
		}
		want := []time.Duration{0, time.Second, time.Second, time.Second, time.Hour + time.Second}[i]
		if got := records[len(records)-1].Time.Sub(start); got != want {
			t.Errorf("record %d is taken after %v, want %v", i, got, want)
		}
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCompressionMayChange(t *testing.T) {
	dir := t.TempDir()
	for i, compression := range []string{CompressionNone, CompressionS2, CompressionNone} {
		log := mustOpen(t, dir, Config{Compression: compression}, onePartition(Options{}))
		if err := log.Append(t.Context(), "events", numbered(i, 1)); err != nil {
			t.Fatal(err)
		}
		for j, r := range held(t, log, "events", 0) {
			if want := fmt.Sprintf("record %d", j); string(r.Value) != want {
				t.Errorf("read %q, want %q", r.Value, want)
			}
		}
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLargeAppend appends more than one commit takes: many chunks, blocks and
// memtables.
func TestLargeAppend(t *testing.T) {
	log := mustOpen(t, t.TempDir(), Config{Compression: CompressionNone}, onePartition(Options{}))
	records := numbered(0, 60)
	for i := range records {
		records[i].Key = fmt.Appendf(nil, "%d", i)
		records[i].Value = make([]byte, 1<<20)
	}
	records[7].Value = make([]byte, 31<<20)
	if err := log.Append(t.Context(), "events", records); err != nil {
		t.Fatal(err)
	}
	got := held(t, log, "events", 0)
	if len(got) != len(records) {
		t.Fatalf("%d records, want %d", len(got), len(records))
	}
	for i := range got {
		if string(got[i].Key) != string(records[i].Key) || len(got[i].Value) != len(records[i].Value) {
			t.Errorf("record %d is %s with %d bytes", i, got[i].Key, len(got[i].Value))
		}
	}
}

func TestAppendIsCancelled(t *testing.T) {
	log := mustOpen(t, t.TempDir(), Config{}, onePartition(Options{}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 {
		if err := log.Append(ctx, "events", numbered(0, 1)); err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if err := log.Append(t.Context(), "events", numbered(0, 1)); err != nil {
		t.Errorf("append after those that were cancelled: %v", err)
	}
}

// consume joins a group of the topic "events" and returns the claim of its
// partition 0. The claim is lost with leave, or with the test.
func consume(t *testing.T, log *Log, group string) (c stream.Claim, leave func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	claims, done := make(chan stream.Claim, 1), make(chan error, 1)
	go func() {
		done <- log.Consume(ctx, "events", group, func(ctx context.Context, c stream.Claim) error {
			if c.Partition() == 0 {
				claims <- c
			}
			<-ctx.Done()
			return nil
		})
		close(done)
	}()
	leave = func() error { cancel(); return <-done }
	t.Cleanup(func() { _ = leave() })
	select {
	case c := <-claims:
		return c, leave
	case err := <-done:
		t.Fatalf("consume: %v", err)
		return nil, nil
	}
}

// logTo returns a logger that writes to w what is not for debugging.
func logTo(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }
