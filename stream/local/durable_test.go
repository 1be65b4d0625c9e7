package local

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/klaxon-dev/klaxon/stream"
)

// gatedDisk is a disk that syncs its log files only while the gate is open.
type gatedDisk struct {
	shut    atomic.Bool
	syncs   atomic.Int64  // how many were begun
	waiting chan struct{} // gets one of each sync that waits
	open    chan struct{} // closed with lift
}

func newGatedDisk() *gatedDisk {
	return &gatedDisk{waiting: make(chan struct{}, 100), open: make(chan struct{})}
}

// String implements errorfs.Injector.
func (g *gatedDisk) String() string { return "gated disk" }

// MaybeError implements errorfs.Injector.
func (g *gatedDisk) MaybeError(op errorfs.Op) error {
	if !strings.HasSuffix(op.Path, ".log") || op.Kind != errorfs.OpFileSync && op.Kind != errorfs.OpFileSyncData {
		return nil
	}
	g.syncs.Add(1)
	if g.shut.Load() {
		g.waiting <- struct{}{}
		<-g.open
	}
	return nil
}

// lift opens the gate for good.
func (g *gatedDisk) lift() {
	g.shut.Store(false)
	close(g.open)
}

// TestDurableBeforeSeen holds an fsync up: until it is done the Append has not
// returned and no reader sees its record.
func TestDurableBeforeSeen(t *testing.T) {
	disk, clock := newGatedDisk(), newFakeClock()
	log := mustOpen(t, "log", Config{}, onePartition(Options{FS: errorfs.Wrap(vfs.NewMem(), disk), Clock: clock.Now}))
	c, _ := consume(t, log, "readers")
	mustAppend(t, log, numbered(0, 1)...)
	disk.shut.Store(true)
	appended, committed := make(chan error, 1), make(chan error, 1)
	go func() { appended <- log.Append(t.Context(), "events", numbered(1, 1)) }()
	<-disk.waiting
	go func() { committed <- c.Commit(t.Context(), stream.Position{Offset: 1}) }()

	if end := c.End(); end != 1 {
		t.Errorf("the end is %d before the record is durable", end)
	}
	if records, err := c.Read(t.Context(), 0, 1<<20); err != nil || len(records) != 1 {
		t.Errorf("%d records, %v; want the one that is durable", len(records), err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if records, err := c.Read(ctx, 1, 1<<20); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%d records, %v; want none before they are durable", len(records), err)
	}
	select {
	case err := <-appended:
		t.Errorf("append returned %v before the fsync", err)
	case err := <-committed:
		t.Errorf("commit returned %v before the fsync", err)
	default:
	}
	if got := c.Position(); got.Offset != 0 {
		t.Errorf("the position is %+v before it is durable", got)
	}
	if err := log.Healthy(); err != nil {
		t.Errorf("health: %v", err)
	}
	clock.move(stuckAfter + time.Second)
	if err := log.Healthy(); err == nil {
		t.Error("a log that waits for its disk is called healthy")
	}

	disk.lift()
	if err := errors.Join(<-appended, <-committed); err != nil {
		t.Fatal(err)
	}
	if got := c.Position(); got.Offset != 1 || c.End() != 2 {
		t.Errorf("position %+v and end %d, want 1 and 2", got, c.End())
	}
}

// TestAppendsShareAnFsync lets appends gather behind one fsync: they need one
// more, not one each.
func TestAppendsShareAnFsync(t *testing.T) {
	const appends = 50
	disk := newGatedDisk()
	log := mustOpen(t, "log", Config{}, onePartition(Options{FS: errorfs.Wrap(vfs.NewMem(), disk)}))
	disk.shut.Store(true)
	done := make(chan error, appends)
	start := func() { done <- log.Append(t.Context(), "events", numbered(0, 1)) }
	go start()
	<-disk.waiting
	for range appends - 1 {
		go start()
	}
	for len(log.requests) < appends-1 {
		runtime.Gosched()
	}
	before := disk.syncs.Load()
	disk.lift()
	for range appends {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if n := disk.syncs.Load() - before; n != 1 {
		t.Errorf("%d fsyncs for the appends that had gathered, want 1", n)
	}
	if got := len(held(t, log, "events", 0)); got != appends {
		t.Errorf("%d records, want %d", got, appends)
	}
}

// TestCancelledAppendStillCounts: an Append whose context ends while the disk
// works may become durable all the same, and Close waits for it.
func TestCancelledAppendStillCounts(t *testing.T) {
	disk := newGatedDisk()
	log := mustOpen(t, "log", Config{}, onePartition(Options{FS: errorfs.Wrap(vfs.NewMem(), disk)}))
	disk.shut.Store(true)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- log.Append(ctx, "events", numbered(0, 1)) }()
	<-disk.waiting
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("append: %v, want the context's error", err)
	}
	disk.lift()
	mustAppend(t, log, numbered(1, 1)...)
	if got := len(held(t, log, "events", 0)); got != 2 {
		t.Errorf("%d records, want 2", got)
	}
	if err := log.inFlight.Acquire(t.Context(), inFlightBytes); err != nil {
		t.Errorf("the bytes of an append that was given up still count as in flight: %v", err)
	}
}

// TestRemovalYieldsToANewGroup: a group that joins between the plan of a removal
// and the removal is not passed.
func TestRemovalYieldsToANewGroup(t *testing.T) {
	log := mustOpen(t, "log", Config{}, onePartition(Options{FS: vfs.NewMem()}))
	mustAppend(t, log, numbered(0, 5)...)
	p := log.topics["events"].partitions[0]
	_, end := p.bounds()
	removal := &cutOp{log: log, partition: p, to: end, reason: "age"}
	c, leave := consume(t, log, "new")
	if err := log.submit(t.Context(), removal, func() {}); err != nil {
		t.Fatal(err)
	}
	checkOffsets(t, log, 0, 5)
	mustCommit(t, c, 5)
	if err := leave(); err != nil {
		t.Fatal(err)
	}
	if err := log.submit(t.Context(), &cutOp{log: log, partition: p, to: end, reason: "age"}, func() {}); err != nil {
		t.Fatal(err)
	}
	checkOffsets(t, log, 5, 5)
}

// TestHandlerThatExits: a handler whose goroutine ends is a handler that failed.
func TestHandlerThatExits(t *testing.T) {
	log := mustOpen(t, "log", Config{}, onePartition(Options{FS: vfs.NewMem()}))
	err := log.Consume(t.Context(), "events", "readers", func(context.Context, stream.Claim) error {
		runtime.Goexit()
		return nil
	})
	if !errors.Is(err, errExited) {
		t.Errorf("consume: %v, want errExited", err)
	}
}
