package local

import (
	"errors"
	"fmt"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// makeDir makes dir and its parents, for this user alone, so that a crash does
// not take them away again: a directory is there when its parent was synced.
func makeDir(fs vfs.FS, dir string) error {
	parent := fs.PathDir(dir)
	if _, err := fs.Stat(parent); errors.Is(err, os.ErrNotExist) && parent != dir {
		if err := makeDir(fs, parent); err != nil {
			return err
		}
	}
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make %s: %w", dir, err)
	}
	d, err := fs.OpenDir(parent)
	if err != nil {
		return fmt.Errorf("open %s: %w", parent, err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("sync %s: %w", parent, err)
	}
	return nil
}
