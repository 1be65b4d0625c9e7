package local

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	sstable "github.com/cockroachdb/pebble/v2/sstable/block"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/klaxon-dev/klaxon/stream"
)

// ErrFailed is the cause of every error after a write that the disk did not
// take: what is on disk is unknown until the log is opened anew, by a new
// process. It comes with stream.ErrUnavailable.
var ErrFailed = errors.New("the disk failed: look at it, then restart")

// Memory that the store may use: about 64 MiB.
const (
	cacheBytes    = 16 << 20
	memTableBytes = 16 << 20
	memTables     = 3
)

// stuckAfter is how long one commit may take before the log calls itself sick.
const stuckAfter = 10 * time.Second

// engine is the pebble store, and what keeps its failures from spreading: where
// pebble would end the process, the engine has failed and stays so.
type engine struct {
	db     *pebble.DB
	lock   *pebble.Lock
	fs     *failStop
	clock  func() time.Time
	logger *slog.Logger
	since  atomic.Int64 // when the commit under way began, unix nanoseconds; 0: none
	warned atomic.Int64 // when an error in the background was last said, unix seconds

	failOnce sync.Once
	failed   chan struct{} // closed after cause is set
	cause    error
}

// openEngine opens or makes the store in dir.
func openEngine(dir string, fs vfs.FS, clock func() time.Time, logger *slog.Logger, m *metrics) (*engine, error) {
	if err := makeDir(fs, dir); err != nil {
		return nil, err
	}
	lock, err := pebble.LockDirectory(dir, fs)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w (if another klaxon uses it, stop that one, or give this one a data directory of its own)", dir, err)
	}
	e := &engine{lock: lock, clock: clock, logger: logger, failed: make(chan struct{})}
	e.fs = &failStop{FS: fs, fail: e.fail}
	if err := e.open(dir, m); err != nil {
		if pebble.IsCorruptionError(err) {
			err = fmt.Errorf("%w (what the disk was told to keep is not there as it was written: keep a copy of the directory; "+
				"moved away, a new log begins, and what no group had consumed is lost)", err)
		}
		return nil, errors.Join(fmt.Errorf("open %s: %w", dir, err), lock.Close())
	}
	e.fs.armed.Store(true)
	return e, nil
}

func (e *engine) open(dir string, m *metrics) (err error) {
	if e.db, err = pebble.Open(dir, e.options(m)); err != nil {
		return err
	}
	// A new store begins its write-ahead log in its oldest format, which cannot
	// tell damage from a torn write: this begins another.
	if err := e.db.Flush(); err != nil {
		return errors.Join(err, e.db.Close())
	}
	return nil
}

func (e *engine) options(m *metrics) *pebble.Options {
	o := &pebble.Options{
		FS:                          e.fs,
		Lock:                        e.lock,
		CacheSize:                   cacheBytes,
		MemTableSize:                memTableBytes,
		MemTableStopWritesThreshold: memTables,
		FormatMajorVersion:          pebble.FormatWALSyncChunks,
		MaxOpenFiles:                256,
		LBaseMaxBytes:               64 << 20,
		FlushDelayDeleteRange:       10 * time.Second,
		Logger:                      engineLogger{e},
	}
	for i := range o.Levels { // blocks come compressed
		o.Levels[i].Compression = func() *sstable.CompressionProfile { return sstable.NoCompression }
	}
	o.Experimental.ReadSamplingMultiplier = -1 // reading does not set off writing
	listener := pebble.MakeLoggingEventListener(engineLogger{e})
	listener.BackgroundError = func(err error) {
		m.backgroundErrors.Inc()
		e.warnOfTidying(err)
	}
	listener.DataCorruption = func(info pebble.DataCorruptionInfo) {
		e.logger.Error("a file of the log is corrupt", "path", info.Path, "details", info.Details)
	}
	o.EventListener = &listener
	return o
}

// warnOfTidying says at most once a minute that the store could not write its
// tables: it tries again and again.
func (e *engine) warnOfTidying(err error) {
	now, last := e.clock().Unix(), e.warned.Load()
	if now-last >= 60 && e.warned.CompareAndSwap(last, now) {
		e.logger.Warn("the log's store could not tidy up: it tries again", "error", err)
	}
}

// apply makes the batch durable. Its error is a failure of the engine.
func (e *engine) apply(b *pebble.Batch) error {
	if b.Empty() {
		return e.failure()
	}
	e.since.Store(e.clock().UnixNano())
	defer e.since.Store(0)
	if err := e.guard(func() error { return e.db.Apply(b, pebble.Sync) }); err != nil {
		e.fail(err)
	}
	return e.failure()
}

// guard runs f until it returns or the engine fails: then f never returns.
func (e *engine) guard(f func() error) error {
	if err := e.failure(); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-e.failed:
		return e.failure()
	}
}

// fail marks the engine as failed. The first error counts.
func (e *engine) fail(err error) {
	e.failOnce.Do(func() {
		e.cause = &unavailable{
			reason: reasonFailed,
			err:    fmt.Errorf("%w: %w: %w", stream.ErrUnavailable, ErrFailed, err),
		}
		e.logger.Error("the log has failed: it takes nothing until a restart", "error", err)
		close(e.failed)
	})
}

// failure returns why the engine has failed, nil if it has not.
func (e *engine) failure() error {
	select {
	case <-e.failed:
		return e.cause
	default:
		return nil
	}
}

// healthy reports a failure, or a commit that takes too long.
func (e *engine) healthy() error {
	if err := e.failure(); err != nil {
		return err
	}
	if since := e.since.Load(); since != 0 {
		if took := e.clock().Sub(time.Unix(0, since)); took > stuckAfter {
			return fmt.Errorf("the disk has not taken a write for %v", took.Round(time.Second))
		}
	}
	return nil
}

// close releases the directory. A failed store is left as it is, and locked:
// its files are not to be touched by this process any more.
func (e *engine) close() error {
	// Flushed, so that nothing depends on the write-ahead log's last bytes.
	err := e.guard(func() error { return errors.Join(e.db.Flush(), e.db.Close()) })
	if e.failure() != nil {
		return nil
	}
	return errors.Join(err, e.lock.Close())
}

// engineLogger is where pebble's words go.
type engineLogger struct{ *engine }

func (l engineLogger) Infof(format string, args ...any) {
	if l.logger.Enabled(context.Background(), slog.LevelDebug) {
		l.logger.Debug("store", "message", fmt.Sprintf(format, args...))
	}
}

func (l engineLogger) Errorf(format string, args ...any) {
	l.logger.Warn("store", "message", fmt.Sprintf(format, args...))
}

// Fatalf must not return: pebble would go on with a broken state.
func (l engineLogger) Fatalf(format string, args ...any) {
	l.fail(fmt.Errorf(format, args...))
	select {}
}
