package secretfile

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// checkMode refuses a file that anybody but its owner may read or change. One
// that belongs to another user may be open to its group: a mounted Kubernetes
// secret is root's and reaches a process by its group alone.
func checkMode(path string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("secret file %s is not a regular file", path)
	}
	open := info.Mode().Perm() & 0o077
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && int(stat.Uid) != os.Geteuid() {
		open &^= 0o040
	}
	if open != 0 {
		return fmt.Errorf("secret file %s has mode %04o and is open to other users: run 'chmod 600 %s', and replace the secret if others may have read it",
			path, info.Mode().Perm(), path)
	}
	return nil
}
