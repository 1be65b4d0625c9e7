package spool

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/klaxon-dev/klaxon/stream"
)

// wantHeld checks what a partition of the events holds, copies left out.
func (l *lab) wantHeld(partition int, want ...string) {
	l.Helper()
	if diff := cmp.Diff(want, once(l.brokers.values("events", partition))); diff != "" {
		l.Errorf("partition %d (-want +got):\n%s", partition, diff)
	}
}

// A short outage costs nothing: senders are told to come again.
func TestShortOutage(t *testing.T) {
	l := newLab(t)
	l.taken("before")
	l.brokers.are(true)
	for range 11 {
		if err := l.append("refused"); !errors.Is(err, stream.ErrUnavailable) {
			t.Fatalf("while the brokers are away: %v", err)
		}
		l.clock.move(10 * time.Second)
	}
	l.brokers.are(false)
	l.taken("after")
	// Nor do outages add up.
	l.brokers.are(true)
	if err := l.append("refused"); !errors.Is(err, stream.ErrUnavailable) {
		t.Fatalf("in another outage: %v", err)
	}
	if _, ok := l.spool.Spooling(); ok || l.spool.Status() != "" {
		t.Error("it is spooling after a short outage")
	}
	for p := range partitions {
		l.wantHeld(p, "before", "after")
	}
}

// What comes in a long outage is taken, and handed over in its order.
func TestLongOutage(t *testing.T) {
	l := newLab(t)
	l.taken("before")
	l.begin()
	l.taken("second")
	if status := l.spool.Status(); !strings.HasPrefix(status, "spooling since 2026-03-01T12:02:00Z: 6 records of ") {
		t.Errorf("status: %s", status)
	}
	l.brokers.are(false)
	l.taken("third")
	l.direct()
	l.taken("last")
	for p := range partitions {
		l.wantHeld(p, "before", "first", "second", "third", "last")
	}
	if status := l.spool.Status(); status != "" {
		t.Errorf("status: %s", status)
	}
}

// Refusals that lie far apart are not one outage.
func TestForgottenRefusal(t *testing.T) {
	l := newLab(t)
	l.brokers.are(true)
	for range 3 {
		if err := l.append("refused"); err == nil {
			t.Fatal("an Append was taken while the brokers are away")
		}
		l.clock.move(time.Hour)
	}
}

// An error that is no outage is the caller's.
func TestOtherErrors(t *testing.T) {
	l := newLab(t)
	l.brokers.are(true)
	l.brokers.err = stream.ErrTooLarge
	for range 5 {
		if err := l.append("large"); !errors.Is(err, stream.ErrTooLarge) {
			t.Fatalf("append: %v", err)
		}
		l.clock.move(time.Minute)
	}
	l.brokers.err = nil
	l.begin()
	large := []stream.Record{{Value: make([]byte, maxRecord+1)}}
	if err := l.spool.Append(t.Context(), "events", large); !errors.Is(err, stream.ErrTooLarge) {
		t.Errorf("into the spool: %v", err)
	}
}

// Some partitions are away, others not: what is sent to the others does not hide
// it, and they get theirs while the rest waits.
func TestPartOfTheBrokersIsAway(t *testing.T) {
	l := newLab(t)
	l.brokers.are(true, 1)
	for l.append("all") != nil {
		one := []stream.Record{{Partition: 2, Value: []byte("one")}}
		if err := l.spool.Append(t.Context(), "events", one); err != nil {
			t.Fatalf("to a partition that is there: %v", err)
		}
		l.clock.move(time.Minute)
	}
	l.taken("more")
	for _, p := range []int{0, 2} {
		waitFor(t, "the others are drained", func() bool {
			held := l.brokers.values("events", p)
			return len(held) > 0 && held[len(held)-1] == "more"
		})
	}
	if _, ok := l.spool.Spooling(); !ok {
		t.Error("it is direct while a partition waits")
	}
	l.wantHeld(1)
	l.brokers.are(false)
	l.direct()
	l.wantHeld(0, "all", "more")
	l.wantHeld(1, "all", "more")
	l.wantHeld(2, "all", "one", "more")
}

// A full spool refuses, and takes again what there is room for.
func TestFull(t *testing.T) {
	l := newLab(t, func(c *Config, _ *Options) { c.MaxBytes = 200 << 10 })
	l.begin()
	records := l.records(strings.Repeat("x", 100))
	for i := range records { // what does not compress
		records[i].Value = noise(i, 3<<10)
	}
	took := 0
	for l.spool.Append(t.Context(), "events", records) == nil {
		if took++; took > 1000 {
			t.Fatal("it is never full")
		}
	}
	err := l.spool.Append(t.Context(), "events", records)
	if !errors.Is(err, stream.ErrUnavailable) || took < 5 {
		t.Fatalf("after %d: %v", took, err)
	}
	if err := l.spool.Append(t.Context(), "deadletter", l.records("letter")); err != nil {
		t.Errorf("dead letters have a part of their own: %v", err)
	}
	l.brokers.are(false)
	l.direct()
	l.begin()
	l.taken("again")
}

// A spool on a full disk refuses, says and counts it, and takes over once there is
// room, whoever made it.
func TestFullDisk(t *testing.T) {
	disk := &fullDisk{FS: vfs.NewMem()}
	registry := prometheus.NewRegistry()
	disk.full.Store(true)
	l := newLab(t, func(_ *Config, o *Options) { o.FS, o.Registerer = disk, registry })
	l.brokers.are(true)
	_ = l.append("first")
	l.clock.move(l.spool.config.After)
	err := l.append("first")
	if !errors.Is(err, stream.ErrUnavailable) || !strings.Contains(err.Error(), "the spool: 104857600 bytes of the disk are free") {
		t.Errorf("refused with: %v", err)
	}
	want := func(name string, want float64) {
		t.Helper()
		if got := value(t, registry, name); got != want {
			t.Errorf("%s is %g, want %g", name, got, want)
		}
	}
	want("klaxon_spool_unavailable_total", 1)
	want("klaxon_spool_ready", 0)
	disk.full.Store(false)
	want("klaxon_spool_ready", 1)
	l.taken("second")
	if _, ok := l.spool.Spooling(); !ok {
		t.Error("it is not spooling")
	}
}

// value returns that of a metric without labels.
func value(t *testing.T, from prometheus.Gatherer, name string) float64 {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue() + f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}

// fullDisk has a GiB free, or while it is full a tenth of that: room for positions, not for
// records.
type fullDisk struct {
	vfs.FS
	full atomic.Bool
}

func (d *fullDisk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	usage := vfs.DiskUsage{TotalBytes: 10 << 30, AvailBytes: 1 << 30}
	if d.full.Load() {
		usage.AvailBytes = 100 << 20
	}
	return usage, nil
}

// noise returns n bytes that do not compress.
func noise(seed, n int) []byte {
	out, x := make([]byte, n), uint64(seed)+1
	for i := range out {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		out[i] = byte(x)
	}
	return out
}

// A process that finds records in its spool hands them over before what comes.
func TestRestart(t *testing.T) {
	l := newLab(t)
	l.begin()
	l.taken("second")
	if err := l.spool.Close(); err != nil {
		t.Fatal(err)
	}
	l.clock.move(time.Hour)
	l.open()
	if since, ok := l.spool.Spooling(); !ok || !since.Equal(newFakeClock().at.Add(2*time.Minute)) {
		t.Errorf("spooling %v since %v", ok, since)
	}
	l.taken("third")
	l.brokers.are(false)
	l.direct()
	for p := range partitions {
		l.wantHeld(p, "first", "second", "third")
	}
	if err := l.spool.Close(); err != nil {
		t.Fatal(err)
	}
	l.open()
	if _, ok := l.spool.Spooling(); ok {
		t.Error("an empty spool is being drained")
	}
}

// The machine dies at each Append of the drain, after the brokers took it and
// before the position says so: another process goes on, nothing is lost, and the
// order is kept but for copies.
func TestCrashWhileDraining(t *testing.T) {
	disk := vfs.NewCrashableMem()
	l := newLab(t, func(_ *Config, o *Options) { o.FS = disk })
	l.begin()
	want := []string{"first"}
	for i := range 20 {
		want = append(want, fmt.Sprint(i))
		l.taken(want[len(want)-1])
		l.clock.move(time.Minute) // each is an Append of its own
	}
	for crashed := 0; ; crashed++ {
		var clone atomic.Pointer[vfs.MemFS]
		took := 0
		l.brokers.mu.Lock()
		l.brokers.onTaken = func() {
			if took++; took == 4 {
				clone.Store(disk.CrashClone(vfs.CrashCloneCfg{}))
				for p := range partitions {
					l.brokers.away[p] = true
				}
			}
		}
		clear(l.brokers.away)
		l.brokers.mu.Unlock()
		waitFor(t, "it crashes or is drained", func() bool {
			_, ok := l.spool.Spooling()
			return !ok || clone.Load() != nil
		})
		if err := l.spool.Close(); err != nil {
			t.Fatal(err)
		}
		if clone.Load() == nil {
			t.Logf("%d crashes", crashed)
			if crashed < 5 {
				t.Error("it hardly crashed")
			}
			break
		}
		disk = clone.Load()
		l.options.FS = disk
		l.open()
	}
	for p := range partitions {
		l.wantHeld(p, want...)
	}
}

// Many append while brokers come and go. What was acknowledged is there; and what
// was appended after it was acknowledged comes after it, as heartbeats need.
func TestOrderWhileBrokersComeAndGo(t *testing.T) {
	l := newLab(t, func(c *Config, _ *Options) { c.After = time.Second })
	type span struct{ begun, acknowledged int64 }
	const never = int64(1) << 62
	var now atomic.Int64
	var mu sync.Mutex
	spans := map[string]*span{}
	stop := make(chan struct{})
	var work sync.WaitGroup
	for g := range 4 {
		work.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				value := fmt.Sprintf("%d/%d", g, i)
				s := &span{begun: now.Add(1), acknowledged: never}
				err := l.append(value)
				if err == nil {
					s.acknowledged = now.Add(1)
				} else if !errors.Is(err, stream.ErrUnavailable) {
					t.Errorf("append: %v", err)
				}
				mu.Lock()
				spans[value] = s
				mu.Unlock()
			}
		})
	}
	for round := range 12 {
		l.brokers.are(true, round%partitions)
		if round%3 == 0 {
			l.brokers.are(true)
		}
		waitFor(t, "it is spooling", func() bool {
			l.clock.move(100 * time.Millisecond)
			_, ok := l.spool.Spooling()
			return ok
		})
		l.brokers.are(false)
		if round%2 == 0 {
			l.direct()
		}
	}
	close(stop)
	work.Wait()
	l.brokers.are(false)
	l.direct()
	for p := range partitions {
		values := once(l.brokers.values("events", p))
		there := map[string]bool{}
		soonest := never // acknowledgement of what comes later
		for i := len(values) - 1; i >= 0; i-- {
			s := spans[values[i]]
			there[values[i]] = true
			if s.begun > soonest {
				t.Fatalf("partition %d: %s comes before what was acknowledged before it", p, values[i])
			}
			soonest = min(soonest, s.acknowledged)
		}
		acknowledged := 0
		for value, s := range spans {
			if s.acknowledged != never {
				acknowledged++
				if !there[value] {
					t.Errorf("partition %d: %s was acknowledged and is lost", p, value)
				}
			}
		}
		t.Logf("partition %d: %d acknowledged of %d", p, acknowledged, len(spans))
	}
}
