package local

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/klaxon-dev/klaxon/stream"
)

// space watches the disk's free bytes. It is safe for concurrent use.
type space struct {
	fs    vfs.FS
	dir   string
	least int64        // bytes below which records are refused
	free  atomic.Int64 // as measured; -1: the file system does not say
	gone  atomic.Bool  // somebody removed the directory: what is synced is in no directory
}

// reserve is which part of least positions may still use: they are small, and
// moving them on is what lets records be removed.
const reserve = 8

func newSpace(fs vfs.FS, dir string, least int64) (*space, vfs.DiskUsage, error) {
	s := &space{fs: fs, dir: dir, least: least}
	s.free.Store(-1)
	usage, err := fs.GetDiskUsage(dir)
	if errors.Is(err, vfs.ErrUnsupported) {
		return s, vfs.DiskUsage{}, nil
	}
	if err != nil {
		return nil, usage, fmt.Errorf("free bytes of %s: %w", dir, err)
	}
	if s.least == 0 {
		s.least = max(leastFreeBytes, min(1<<30, int64(usage.TotalBytes/20)))
	}
	s.free.Store(int64(usage.AvailBytes))
	return s, usage, nil
}

// lockFile is there as long as the directory is that of an open store.
const lockFile = "LOCK"

func (s *space) measure() {
	_, err := s.fs.Stat(s.fs.PathJoin(s.dir, lockFile))
	s.gone.Store(errors.Is(err, os.ErrNotExist))
	if usage, err := s.fs.GetDiskUsage(s.dir); err == nil {
		s.free.Store(int64(usage.AvailBytes))
	}
}

// forRecords returns why no records can be taken.
func (s *space) forRecords() error {
	if s.gone.Load() {
		return refuse(reasonFailed, "the directory %s was removed: what it would take is gone with the process: restart, with the directory on a volume of its own: %w",
			s.dir, stream.ErrUnavailable)
	}
	return s.atLeast(s.least)
}

// forPositions returns why no positions can be taken.
func (s *space) forPositions() error { return s.atLeast(s.least / reserve) }

func (s *space) atLeast(bytes int64) error {
	if free := s.free.Load(); free >= 0 && free < bytes {
		return refuse(reasonDiskFull, "%d bytes of the disk are free, of %d that are to be left: %w", free, bytes, stream.ErrUnavailable)
	}
	return nil
}
