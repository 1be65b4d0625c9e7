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
	if err == nil && nodeOf(current.info) == f.source.node {
		return nil, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
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
	return f.newer(files, f.modified)
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

// newer returns the first file that was written to at t or later, and those
// that were begun after it; at least the one that is written now.
func (f *follower) newer(files []file, t time.Time) []file {
	for i, c := range files {
		if c.path == f.path || !c.info.ModTime().Before(t) {
			return files[i:]
		}
	}
	return nil
}

// begun is a file that was begun after the source.
type begun struct {
	path  string
	print print
}

// is reports whether a source begins alike.
func (b *begun) is(s *source) bool {
	if b == nil {
		return false
	}
	same, err := s.begins(b.print)
	return err == nil && same
}

// expect notes what is to be read after the source, while it is there: it may be
// removed before its turn comes.
func (f *follower) expect(newer []file) {
	if f.expected != nil || len(newer) == 0 {
		return
	}
	s, err := openSource(newer[0].path, 0, print{})
	if err != nil {
		return
	}
	defer s.close()
	if s.print.Bytes >= surePrint {
		f.expected = &begun{path: s.path, print: s.print}
	}
}

// surprise says so where the source is not what was seen to follow the file
// before it, which was left at p.
func (f *follower) surprise(p Position, expected *begun) {
	if expected == nil || expected.is(f.source) {
		return
	}
	p.Path, p.Offset = expected.path, 0
	f.gap(p, f.source.path, gapGone)
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
	return f.open(newer[0], 0)
}
