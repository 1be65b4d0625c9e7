package ingest

import (
	"io/fs"
	"syscall"
)

// fileID returns the device and inode of a file, nil where there are none.
func fileID(info fs.FileInfo) any {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	return [2]any{stat.Dev, stat.Ino} // of types that differ between systems
}
