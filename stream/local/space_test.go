package local

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/klaxon-dev/klaxon/stream"
)

// TestLittleSpace lets the disk run out of space and become free again.
func TestLittleSpace(t *testing.T) {
	disk := vfs.NewMem()
	free := func(mib uint64) {
		disk.TestingSetDiskUsage(vfs.DiskUsage{TotalBytes: 100 << 30, AvailBytes: mib << 20, UsedBytes: 100<<30 - mib<<20})
	}
	free(50 << 10)
	log := mustOpen(t, "log", Config{MinFreeBytes: 800 << 20}, onePartition(Options{FS: disk}))
	c, _ := consume(t, log, "readers")
	f := func(mib uint64, records, positions bool) {
		t.Helper()
		free(mib)
		for what, is := range map[string]struct {
			err  error
			want bool
		}{
			"append": {log.Append(t.Context(), "events", numbered(0, 1)), records},
			"health": {log.Healthy(), records},
			"commit": {c.Commit(t.Context(), stream.Position{}), positions},
		} {
			if is.want && is.err != nil || !is.want && !errors.Is(is.err, stream.ErrUnavailable) {
				t.Errorf("%d MiB free: %s: %v, want it taken: %v", mib, what, is.err, is.want)
			}
		}
	}
	f(800, true, true)
	f(799, false, true)
	f(100, false, true)
	f(99, false, false)
	f(0, false, false)
	f(801, true, true)
	if got := len(held(t, log, "events", 0)); got != 2 {
		t.Errorf("%d records are held, want the 2 that were taken", got)
	}
}

func TestDefaultsFitTheDisk(t *testing.T) {
	f := func(totalGiB uint64, wantFree, wantBytes int64) {
		t.Helper()
		disk := vfs.NewMem()
		disk.TestingSetDiskUsage(vfs.DiskUsage{TotalBytes: totalGiB << 30, AvailBytes: totalGiB << 30})
		log := mustOpen(t, "log", Config{}, onePartition(Options{FS: disk}))
		if log.space.least != wantFree {
			t.Errorf("%d GiB: %d bytes are left free, want %d", totalGiB, log.space.least, wantFree)
		}
		if got := log.topics["events"].limit; got != wantBytes {
			t.Errorf("%d GiB: a topic may hold %d, want %d", totalGiB, got, wantBytes)
		}
	}
	f(1, 64<<20, 512<<20)
	f(10, 512<<20, 5<<30)
	f(1000, 1<<30, 20<<30)
}

func TestRefusalsAreSaidOnce(t *testing.T) {
	disk := vfs.NewMem()
	disk.TestingSetDiskUsage(vfs.DiskUsage{TotalBytes: 100 << 30, AvailBytes: 1})
	var said strings.Builder
	log := mustOpen(t, "log", Config{}, onePartition(Options{FS: disk, Logger: logTo(&said)}))
	for range 5 {
		if err := log.Append(t.Context(), "events", numbered(0, 1)); !errors.Is(err, stream.ErrUnavailable) {
			t.Fatalf("append: %v", err)
		}
	}
	disk.TestingSetDiskUsage(vfs.DiskUsage{TotalBytes: 100 << 30, AvailBytes: 50 << 30})
	for range 5 {
		if err := log.Append(t.Context(), "events", numbered(0, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	for _, message := range []string{"the log refuses records", "the log takes records again"} {
		if n := strings.Count(said.String(), message); n != 1 {
			t.Errorf("%q was said %d times", message, n)
		}
	}
}

// What is synced to files that are in no directory any more is gone with the
// process: nothing is acknowledged there. What was before is still read.
func TestDirectoryIsRemoved(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	log := mustOpen(t, dir, Config{}, onePartition(Options{}))
	c, _ := consume(t, log, "readers")
	if err := log.Append(t.Context(), "events", numbered(0, 3)); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{"append": log.Append(t.Context(), "events", numbered(3, 1)), "health": log.Healthy()} {
		if !errors.Is(err, stream.ErrUnavailable) || !strings.Contains(err.Error(), dir+" was removed") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if records, err := c.Read(t.Context(), 0, 1<<20); err != nil || len(records) != 3 {
		t.Errorf("%d records are read, %v", len(records), err)
	}
	if err := c.Commit(t.Context(), stream.Position{Offset: 3}); err != nil {
		t.Error(err)
	}
}
