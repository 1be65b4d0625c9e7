package local

import (
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// tablePause is how long pebble waits after it could not write a table: it would
// try again at once, and go round as fast as it can on a full disk.
const tablePause = 200 * time.Millisecond

// failStop is a file system on which no write fails twice. Where the store's own
// logs and names cannot be written, pebble ends the process or panics; here the
// failure is told to fail, and the goroutine that met it stops for good where it
// is, so that nothing is written after it. Tables may fail: pebble writes them
// again.
type failStop struct {
	vfs.FS
	fail  func(error)
	armed atomic.Bool // until then, errors are returned: opening may just fail
}

// check returns err where it may be returned.
func (f *failStop) check(path string, err error) error {
	if err == nil || !f.armed.Load() {
		return err
	}
	if strings.HasSuffix(path, ".sst") {
		time.Sleep(tablePause)
		return err
	}
	f.fail(fmt.Errorf("write %s: %w", path, err))
	select {}
}

func (f *failStop) file(path string, file vfs.File, err error) (vfs.File, error) {
	if err := f.check(path, err); err != nil {
		return nil, err
	}
	return &failStopFile{File: file, fs: f, path: path}, nil
}

// Create implements vfs.FS.
func (f *failStop) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.Create(name, c)
	return f.file(name, file, err)
}

// ReuseForWrite implements vfs.FS.
func (f *failStop) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.ReuseForWrite(oldname, newname, c)
	return f.file(newname, file, err)
}

// OpenDir implements vfs.FS.
func (f *failStop) OpenDir(name string) (vfs.File, error) {
	file, err := f.FS.OpenDir(name)
	return f.file(name, file, err)
}

// Unwrap implements vfs.FS.
func (f *failStop) Unwrap() vfs.FS { return f.FS }

type failStopFile struct {
	vfs.File
	fs   *failStop
	path string
}

// Write implements vfs.File.
func (f *failStopFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	return n, f.fs.check(f.path, err)
}

// Sync implements vfs.File.
func (f *failStopFile) Sync() error { return f.fs.check(f.path, f.File.Sync()) }

// SyncData implements vfs.File.
func (f *failStopFile) SyncData() error { return f.fs.check(f.path, f.File.SyncData()) }

// SyncTo implements vfs.File.
func (f *failStopFile) SyncTo(length int64) (full bool, err error) {
	full, err = f.File.SyncTo(length)
	return full, f.fs.check(f.path, err)
}
