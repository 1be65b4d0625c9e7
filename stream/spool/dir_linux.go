package spool

import (
	"fmt"
	"syscall"
)

// Numbers of file systems: statfs(2).
const (
	tmpfs = 0x01021994
	ramfs = 0x858458f6
)

// volatileKind returns the name of the file system that holds path if it is in
// memory, else "".
func volatileKind(path string) (string, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(path, &s); err != nil {
		return "", fmt.Errorf("file system of %s: %w", path, err)
	}
	switch uint32(s.Type) {
	case tmpfs:
		return "tmpfs", nil
	case ramfs:
		return "ramfs", nil
	}
	return "", nil
}
