package local

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"

	"github.com/klaxon-dev/klaxon/stream"
)

// offsets returns the first offset that is held and the end, and checks that all
// between can be read.
func offsets(t *testing.T, log *Log) [2]int64 {
	t.Helper()
	first, end := log.topics["events"].partitions[0].bounds()
	records := held(t, log, "events", 0)
	if int64(len(records)) != end.offset-first.offset {
		t.Errorf("%d records are held from %d to %d", len(records), first.offset, end.offset)
	}
	return [2]int64{first.offset, end.offset}
}

func checkOffsets(t *testing.T, log *Log, first, end int64) {
	t.Helper()
	if got := offsets(t, log); got != [2]int64{first, end} {
		t.Errorf("offsets %d to %d are held, want %d to %d", got[0], got[1], first, end)
	}
}

func mustAppend(t *testing.T, log *Log, records ...stream.Record) {
	t.Helper()
	if err := log.Append(t.Context(), "events", records); err != nil {
		t.Fatal(err)
	}
}

func mustCommit(t *testing.T, c stream.Claim, offset int64) {
	t.Helper()
	if err := c.Commit(t.Context(), stream.Position{Offset: offset}); err != nil {
		t.Fatal(err)
	}
}

// TestRemovalByAge appends one record an hour for ten hours, with a retention of
// five.
func TestRemovalByAge(t *testing.T) {
	disk, clock := vfs.NewMem(), newFakeClock()
	config := Config{Retention: 5 * time.Hour}
	o := onePartition(Options{FS: disk, Clock: clock.Now})
	log := mustOpen(t, "log", config, o)
	c, _ := consume(t, log, "readers")
	for i := range 10 {
		mustAppend(t, log, numbered(i, 1)...)
		clock.move(time.Hour)
	}
	log.retain(t.Context())
	checkOffsets(t, log, 0, 10) // nothing is consumed
	mustCommit(t, c, 3)
	log.retain(t.Context())
	checkOffsets(t, log, 3, 10)
	mustCommit(t, c, 10)
	log.retain(t.Context())
	checkOffsets(t, log, 5, 10) // record 5 is five hours old

	clock.move(24 * time.Hour)
	log.retain(t.Context())
	checkOffsets(t, log, 10, 10)
	_, err := c.Read(t.Context(), 4, 1)
	var gap *stream.GapError
	if !errors.As(err, &gap) || !errors.Is(err, stream.ErrLost) {
		t.Fatalf("read of what was removed waits or fails otherwise: %v", err)
	}
	if diff := cmp.Diff(&stream.GapError{Topic: "events", From: 4, To: 10}, gap); diff != "" {
		t.Errorf("gap (-want +got):\n%s", diff)
	}
	mustAppend(t, log, numbered(10, 1)...)
	checkOffsets(t, log, 10, 11)
	if got := log.topics["events"].partitions[0].oldestTime(); got != clock.Now().UnixNano() {
		t.Errorf("the oldest record is taken to be of %v", time.Unix(0, got))
	}
}

// TestOffsetsGoOnWhenAllIsRemoved reopens a log that holds no record any more.
func TestOffsetsGoOnWhenAllIsRemoved(t *testing.T) {
	disk, clock := vfs.NewMem(), newFakeClock()
	config := Config{Retention: time.Hour}
	o := onePartition(Options{FS: disk, Clock: clock.Now})
	for i := range int64(3) {
		log := mustOpen(t, "log", config, o)
		checkOffsets(t, log, 4*i, 4*i)
		mustAppend(t, log, numbered(0, 4)...)
		last := held(t, log, "events", 0)[3].Time
		clock.move(2 * time.Hour)
		log.retain(t.Context())
		checkOffsets(t, log, 4*i+4, 4*i+4)
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
		if now := time.Unix(0, log.topics["events"].partitions[0].lastTime); !now.Equal(last) {
			t.Errorf("the last time is %v, want %v", now, last)
		}
	}
}

// blockBytes is what a record of smallBlock takes.
const blockBytes = 100

func smallBlock() stream.Record {
	return stream.Record{Value: make([]byte, blockBytes-headerBytes-3)}
}

// small is a topic that holds 64 blocks of one record each.
var small = Config{Compression: CompressionNone, MaxRecordBytes: blockBytes, MaxBytes: 64 * blockBytes}

// TestRemovalBySize appends at the bound: the oldest records that are consumed
// give way, those that are not never do.
func TestRemovalBySize(t *testing.T) {
	disk := vfs.NewMem()
	log := mustOpen(t, "log", small, onePartition(Options{FS: disk}))
	slow, _ := consume(t, log, "slow")
	fast, _ := consume(t, log, "fast")
	for range 64 {
		mustAppend(t, log, smallBlock())
	}
	refused := func() {
		t.Helper()
		if err := log.Append(t.Context(), "events", []stream.Record{smallBlock()}); !errors.Is(err, stream.ErrUnavailable) {
			t.Errorf("append at the bound: %v, want ErrUnavailable", err)
		}
		if err := log.Healthy(); !errors.Is(err, stream.ErrUnavailable) {
			t.Errorf("health at the bound: %v", err)
		}
	}
	refused()
	mustCommit(t, fast, 64)
	refused()
	checkOffsets(t, log, 0, 64)
	mustCommit(t, slow, 1)
	mustAppend(t, log, smallBlock())
	checkOffsets(t, log, 1, 65)
	refused()
	mustCommit(t, slow, 40)
	if err := log.Healthy(); err != nil {
		t.Errorf("health with records that may go: %v", err)
	}
	mustAppend(t, log, smallBlock())
	checkOffsets(t, log, 4, 66) // a 32nd of the bound at once
	mustAppend(t, log, smallBlock(), smallBlock(), smallBlock())
	for range 200 {
		_, end := log.topics["events"].partitions[0].bounds()
		mustCommit(t, slow, end.offset)
		mustCommit(t, fast, end.offset)
		mustAppend(t, log, smallBlock())
		if got := offsets(t, log); got[1]-got[0] > 64 || got[1]-got[0] < 60 {
			t.Fatalf("%d records are held", got[1]-got[0])
		}
	}
	log.retain(t.Context())
	if got := offsets(t, log); got[1]-got[0] != 62 {
		t.Errorf("%d records are held in peace, want 62", got[1]-got[0])
	}
}

func mustReplay(t *testing.T, c stream.Claim, offset, replay int64) {
	t.Helper()
	if err := c.Commit(t.Context(), stream.Position{Offset: offset, Replay: replay}); err != nil {
		t.Fatal(err)
	}
}

// TestReplaysOutliveTheirAge: what a group reads again stays, however old.
func TestReplaysOutliveTheirAge(t *testing.T) {
	disk, clock := vfs.NewMem(), newFakeClock()
	config, o := Config{Retention: time.Hour}, onePartition(Options{FS: disk, Clock: clock.Now})
	log := mustOpen(t, "log", config, o)
	c, _ := consume(t, log, "readers")
	for i := range 10 {
		mustAppend(t, log, numbered(i, 1)...)
	}
	mustReplay(t, c, 8, 5)
	clock.move(24 * time.Hour)
	log.retain(t.Context())
	checkOffsets(t, log, 3, 10)
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	log = mustOpen(t, "log", config, o)
	log.retain(t.Context())
	checkOffsets(t, log, 3, 10)
	c, _ = consume(t, log, "readers")
	mustReplay(t, c, 9, 0)
	log.retain(t.Context())
	checkOffsets(t, log, 9, 10)
}

// TestReplaysGiveWayLast: at the bound what no group replays goes first, then
// what one would, loudly; what is not consumed stays.
func TestReplaysGiveWayLast(t *testing.T) {
	var said strings.Builder
	log := mustOpen(t, "log", small, onePartition(Options{FS: vfs.NewMem(), Logger: logTo(&said)}))
	c, _ := consume(t, log, "readers")
	for range 64 {
		mustAppend(t, log, smallBlock())
	}
	counted := func(reason string) float64 {
		var m dto.Metric
		if err := log.metrics.removed.WithLabelValues("events", reason).Write(&m); err != nil {
			t.Fatal(err)
		}
		return m.GetCounter().GetValue()
	}
	check := func(first, end int64, size, replay float64) {
		t.Helper()
		checkOffsets(t, log, first, end)
		if s, r := counted("size"), counted("replay"); s != size || r != replay {
			t.Errorf("%v removed for size and %v of a replay, want %v and %v", s, r, size, replay)
		}
	}
	mustReplay(t, c, 60, 59)
	log.retain(t.Context())
	check(1, 64, 1, 0) // not below the bound's slack: the rest is of the replay
	mustAppend(t, log, smallBlock())
	check(1, 65, 1, 0)
	mustAppend(t, log, smallBlock())
	check(4, 66, 1, 3)
	if n := strings.Count(said.String(), "still reads"); n != 1 {
		t.Errorf("it was said %d times", n)
	}
	mustReplay(t, c, 60, 10)
	for range 3 {
		mustAppend(t, log, smallBlock())
	}
	check(7, 69, 4, 3)
	for range 200 {
		err := log.Append(t.Context(), "events", []stream.Record{smallBlock()})
		if err != nil && !errors.Is(err, stream.ErrUnavailable) {
			t.Fatal(err)
		}
	}
	check(60, 124, 47, 13)
}

// TestNoGroup: without consumers nothing holds records back.
func TestNoGroup(t *testing.T) {
	log := mustOpen(t, "log", small, onePartition(Options{FS: vfs.NewMem()}))
	for range 300 {
		mustAppend(t, log, smallBlock())
	}
	if got := offsets(t, log); got[1] != 300 || got[1]-got[0] > 64 {
		t.Errorf("offsets %v are held", got)
	}
}

// TestGroupsOutliveTheirMembers: a group holds records back until it is dropped,
// also after a restart.
func TestGroupsOutliveTheirMembers(t *testing.T) {
	disk := vfs.NewMem()
	log := mustOpen(t, "log", small, onePartition(Options{FS: disk}))
	c, leave := consume(t, log, "old")
	mustAppend(t, log, smallBlock(), smallBlock())
	mustCommit(t, c, 1)
	if err := log.DropGroup(t.Context(), "events", "old"); err == nil {
		t.Error("a group that consumes was dropped")
	}
	if err := leave(); err != nil {
		t.Fatal(err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	for drop := range 2 {
		log = mustOpen(t, "log", small, onePartition(Options{FS: disk}))
		if drop == 1 {
			if err := log.DropGroup(t.Context(), "events", "old"); err != nil {
				t.Fatal(err)
			}
		}
		refused := false
		for range 100 {
			if err := log.Append(t.Context(), "events", []stream.Record{smallBlock()}); errors.Is(err, stream.ErrUnavailable) {
				refused = true
			} else if err != nil {
				t.Fatal(err)
			}
		}
		if want := drop == 0; refused != want {
			t.Errorf("dropped %d times: appends were refused: %v, want %v", drop, refused, want)
		}
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
	}
	log = mustOpen(t, "log", small, onePartition(Options{FS: disk}))
	if lags := log.topics["events"].lags(); len(lags) != 0 {
		t.Errorf("groups %v are known after the drop", lags)
	}
	first, _ := log.topics["events"].partitions[0].bounds()
	c, _ = consume(t, log, "old")
	if got, want := c.Position(), (stream.Position{Offset: first.offset}); got != want {
		t.Errorf("a group that was dropped begins at %+v, want the first offset %+v", got, want)
	}
}

// TestRemovalNeverPassesAGroup has groups join while records are appended and
// removed as fast as can be: no group ever meets a gap.
func TestRemovalNeverPassesAGroup(t *testing.T) {
	log := mustOpen(t, "log", small, onePartition(Options{FS: vfs.NewMem()}))
	ctx, stop := context.WithCancel(t.Context())
	appended := make(chan struct{})
	go func() {
		defer close(appended)
		for ctx.Err() == nil {
			err := log.Append(ctx, "events", []stream.Record{smallBlock()})
			if err != nil && ctx.Err() == nil && !errors.Is(err, stream.ErrUnavailable) {
				t.Errorf("append: %v", err)
			}
		}
	}()
	for i := range 30 {
		group := fmt.Sprintf("group-%d", i)
		c, leave := consume(t, log, group)
		start := c.Position().Offset
		for next := start; next < start+100; {
			records, err := c.Read(t.Context(), next, 500)
			if err != nil {
				t.Fatalf("%s reads at %d: %v", group, next, err)
			}
			next += int64(len(records))
			mustCommit(t, c, next)
		}
		if err := leave(); err != nil {
			t.Fatal(err)
		}
		if err := log.DropGroup(t.Context(), "events", group); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	<-appended
}

// TestSpaceComesBack: what is removed leaves the disk.
func TestSpaceComesBack(t *testing.T) {
	clock := newFakeClock()
	log := mustOpen(t, t.TempDir(), Config{Retention: time.Hour, Compression: CompressionNone}, onePartition(Options{Clock: clock.Now}))
	for range 64 {
		mustAppend(t, log, stream.Record{Value: make([]byte, 1<<20)})
	}
	clock.move(2 * time.Hour)
	log.retain(t.Context())
	checkOffsets(t, log, 64, 64)
	if err := log.engine.db.Flush(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for left := int64(math.MaxInt64); left > memTableBytes; left = log.engine.db.Metrics().Total().TablesSize {
		select {
		case <-poll.C:
		case <-ctx.Done():
			t.Fatalf("%d bytes of tables are left of what was removed", left)
		}
	}
}
