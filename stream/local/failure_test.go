package local

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/klaxon-dev/klaxon/stream"
)

// brokenDisk fails what fails says, once it is on.
type brokenDisk struct {
	errorfs.Toggle
	disk *vfs.MemFS
}

func newBrokenDisk(fails func(errorfs.Op) bool) *brokenDisk {
	b := &brokenDisk{disk: vfs.NewCrashableMem()}
	b.Injector = errorfs.InjectorFunc(func(op errorfs.Op) error {
		if fails(op) {
			return &pathError{op.Path, syscall.ENOSPC}
		}
		return nil
	})
	return b
}

type pathError struct {
	path string
	err  error
}

func (e *pathError) Error() string { return e.path + ": " + e.err.Error() }
func (e *pathError) Unwrap() error { return e.err }

func (b *brokenDisk) fs() vfs.FS { return errorfs.Wrap(b.disk, b) }

// TestDiskFails lets the disk fail at each kind of write: nothing more is taken,
// nothing panics or hangs, and what was acknowledged is there after a restart.
func TestDiskFails(t *testing.T) {
	f := func(name string, fails func(errorfs.Op) bool) {
		t.Run(name, func(t *testing.T) {
			broken := newBrokenDisk(fails)
			log, err := Open("log", Config{Compression: CompressionNone}, onePartition(Options{FS: broken.fs()}))
			if err != nil {
				t.Fatal(err)
			}
			c, leave := consume(t, log, "readers")
			acked := appendUntilFailure(t, log, func() { broken.On() })
			if err := log.Healthy(); !errors.Is(err, ErrFailed) {
				t.Errorf("health: %v, want ErrFailed", err)
			}
			if err := c.Commit(t.Context(), stream.Position{}); !errors.Is(err, stream.ErrUnavailable) {
				t.Errorf("commit: %v, want ErrUnavailable", err)
			}
			if err := leave(); err != nil {
				t.Errorf("consume: %v", err)
			}
			if err := log.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
			checkAcked(t, broken.disk.CrashClone(vfs.CrashCloneCfg{}), acked)
		})
	}
	isLog := func(op errorfs.Op) bool { return strings.HasSuffix(op.Path, ".log") }
	isManifest := func(op errorfs.Op) bool { return strings.Contains(op.Path, "MANIFEST") }
	f("write of the WAL", func(op errorfs.Op) bool { return isLog(op) && op.Kind == errorfs.OpFileWrite })
	f("sync of the WAL", func(op errorfs.Op) bool {
		return isLog(op) && (op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData)
	})
	f("next WAL", func(op errorfs.Op) bool {
		return isLog(op) && (op.Kind == errorfs.OpCreate || op.Kind == errorfs.OpReuseForWrite)
	})
	f("write of the manifest", func(op errorfs.Op) bool { return isManifest(op) && op.Kind == errorfs.OpFileWrite })
	f("every write", func(op errorfs.Op) bool { return op.Kind.ReadOrWrite() == errorfs.OpIsWrite })
}

// appendUntilFailure appends from several goroutines until the log fails, which
// begins after a few Appends, and returns what was acknowledged.
func appendUntilFailure(t *testing.T, log *Log, fail func()) []string {
	t.Helper()
	var mu sync.Mutex
	var acked []string
	var work sync.WaitGroup
	for a := range 4 {
		work.Go(func() {
			for i := 0; ; i++ {
				r := stream.Record{Key: fmt.Appendf(nil, "%d/%d", a, i), Value: make([]byte, 1<<20)}
				err := log.Append(t.Context(), "events", []stream.Record{r})
				if err != nil {
					if !errors.Is(err, stream.ErrUnavailable) || !errors.Is(err, ErrFailed) {
						t.Errorf("append: %v, want ErrUnavailable and ErrFailed", err)
					}
					return
				}
				mu.Lock()
				acked = append(acked, string(r.Key))
				if len(acked) == 10 {
					fail()
				}
				mu.Unlock()
			}
		})
	}
	work.Wait()
	return acked
}

func checkAcked(t *testing.T, disk vfs.FS, acked []string) {
	t.Helper()
	log := mustOpen(t, "log", Config{}, onePartition(Options{FS: disk}))
	have := make(map[string]bool)
	for _, r := range held(t, log, "events", 0) {
		have[string(r.Key)] = true
	}
	for _, key := range acked {
		if !have[key] {
			t.Errorf("record %s was acknowledged and is gone", key)
		}
	}
}

// TestTidyingFails lets the store fail to write its tables for a while: the log
// goes on, and counts it.
func TestTidyingFails(t *testing.T) {
	broken := newBrokenDisk(func(op errorfs.Op) bool {
		return strings.HasSuffix(op.Path, ".sst") && op.Kind == errorfs.OpCreate
	})
	registry := prometheus.NewRegistry()
	log := mustOpen(t, "log", Config{}, onePartition(Options{FS: broken.fs(), Registerer: registry}))
	broken.On()
	if err := log.Append(t.Context(), "events", numbered(0, 1)); err != nil {
		t.Fatal(err)
	}
	flushed, err := log.engine.db.AsyncFlush()
	if err != nil {
		t.Fatal(err)
	}
	for samples(t, registry)["klaxon_log_background_errors_total"] == 0 {
		if err := log.Append(t.Context(), "events", numbered(1, 1)); err != nil {
			t.Fatal(err)
		}
	}
	broken.Off()
	<-flushed
	if err := log.Healthy(); err != nil {
		t.Errorf("health: %v", err)
	}
}
