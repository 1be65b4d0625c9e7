package local

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
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
// pebble would end the process or panic, the engine has failed and stays so.
type engine struct {
	db     *pebble.DB
	lock   *pebble.Lock
	clock  func() time.Time
	logger *slog.Logger
	failed atomic.Pointer[error]
	since  atomic.Int64 // when the commit under way began, unix nanoseconds; 0: none
}

// openEngine opens or makes the store in dir.
func openEngine(dir string, fs vfs.FS, clock func() time.Time, logger *slog.Logger, m *metrics) (*engine, error) {
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make %s: %w", dir, err)
	}
	lock, err := pebble.LockDirectory(dir, fs)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w (if another klaxon uses it, stop that one, or give this one a data directory of its own)", dir, err)
	}
	e := &engine{lock: lock, clock: clock, logger: logger}
	err = e.guard(func() error {
		db, err := pebble.Open(dir, e.options(fs, m))
		e.db = db
		return err
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", dir, err), lock.Close())
	}
	return e, nil
}

func (e *engine) options(fs vfs.FS, m *metrics) *pebble.Options {
	o := &pebble.Options{
		FS:                          fs,
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
		e.logger.Warn("the log's store could not tidy up: it tries again", "error", err)
	}
	listener.DataCorruption = func(info pebble.DataCorruptionInfo) {
		e.logger.Error("a file of the log is corrupt", "path", info.Path, "details", info.Details)
	}
	listener.DiskSlow = func(info pebble.DiskSlowInfo) {
		e.logger.Warn("the disk is slow", "path", info.Path, "operation", info.OpType.String(), "duration", info.Duration)
	}
	o.EventListener = &listener
	return o
}

// apply makes the batch durable. Its error is a failure of the engine.
func (e *engine) apply(b *pebble.Batch) error {
	if err := e.failure(); err != nil || b.Empty() {
		return err
	}
	e.since.Store(e.clock().UnixNano())
	defer e.since.Store(0)
	if err := e.guard(func() error { return e.db.Apply(b, pebble.Sync) }); err != nil {
		e.fail(err)
	}
	return e.failure()
}

// guard runs f in a goroutine of its own, because pebble's fatal errors end the
// goroutine that meets them, and panics where a write fails.
func (e *engine) guard(f func() error) error {
	done := make(chan error, 1)
	go func() {
		var err error
		defer func() {
			if v := recover(); v != nil {
				err = fmt.Errorf("%v", v)
			}
			if err == nil {
				err = e.failure()
			}
			done <- err
		}()
		err = f()
	}()
	return <-done
}

// fail marks the engine as failed. The first error counts.
func (e *engine) fail(err error) {
	err = fmt.Errorf("%w: %w: %w", ErrFailed, stream.ErrUnavailable, err)
	err = &unavailable{reason: reasonFailed, err: err}
	if e.failed.CompareAndSwap(nil, &err) {
		e.logger.Error("the log has failed: nothing is taken until a restart", "error", err)
	}
}

// failure returns why the engine has failed, nil if it has not.
func (e *engine) failure() error {
	if err := e.failed.Load(); err != nil {
		return *err
	}
	return nil
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
	if e.failure() != nil {
		return nil
	}
	err := e.guard(e.db.Close)
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

// Fatalf must not return: pebble would go on with a broken state. It ends the
// goroutine, whose deferred calls unlock what it held.
func (l engineLogger) Fatalf(format string, args ...any) {
	l.fail(fmt.Errorf(format, args...))
	runtime.Goexit()
}
