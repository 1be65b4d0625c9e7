package tail

import (
	"errors"
	"io/fs"
	"time"
)

// successor returns the file that was begun after the source, nil while there is
// none that holds anything.
func (f *follower) successor() (*file, error) {
	current, err := stat(f.path)
	if errors.Is(err, fs.ErrNotExist) || (err == nil && nodeOf(current.info) == f.source.node) {
		return nil, nil // it is being rotated, or is the source
	}
	if err != nil {
		return nil, err
	}
	files, err := filesOf(f.path)
	if err != nil {
		return nil, err
	}
	for _, next := range f.behind(files) {
		if next.info.Size() > 0 {
			return &next, nil
		}
	}
	return nil, nil
}

// behind returns the files that were begun after the source.
func (f *follower) behind(files []file) []file {
	if i := f.place(files); i >= 0 {
		return files[i+1:]
	}
	if newer := writtenSince(files, f.modified); len(newer) > 0 {
		return newer
	}
	return files[max(len(files)-1, 0):]
}

// place returns the source's place among the files, as itself or compressed; -1
// where it is removed.
func (f *follower) place(files []file) int {
	for i, c := range files {
		if nodeOf(c.info) == f.source.node {
			return i
		}
	}
	if f.source.print.Bytes < surePrint {
		return -1
	}
	for i, c := range files {
		if same, err := openSource(c.path, 0, f.source.print); err == nil {
			same.close()
			return i
		}
	}
	return -1
}

// writtenSince returns the first file that was written to at t or later, and
// those that were begun after it.
func writtenSince(files []file, t time.Time) []file {
	for i, f := range files {
		if !f.info.ModTime().Before(t) {
			return files[i:]
		}
	}
	return nil
}

// broken goes on behind a compressed file that cannot be read to its end: it
// will not mend.
func (f *follower) broken(cause error) error {
	files, err := filesOf(f.path)
	if err != nil {
		return err
	}
	newer := f.behind(files)
	if len(newer) == 0 {
		return cause
	}
	f.gap(f.position(), newer[0].path, gapBroken)
	return f.open(newer[0].path, 0)
}
