package tail

import (
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"time"
)

// follower reads a file and, before it, those that it was before it was
// rotated. It is used by one goroutine.
type follower struct {
	path    string
	from    From
	logger  *slog.Logger
	metrics *metrics

	stored   *Position // where to begin; nil: as from says
	source   *source   // nil until a file is there
	ending   bool      // it has a successor: it is read to its end once more
	modified time.Time // of the source, when its end was seen last
	expected *begun    // the source's successor, if one was seen
	last     time.Time // stageTimestamp of the last event that was accepted
	gaps     int
}

// next returns the next line, io.EOF where there is none now. The line is valid
// until the next call. There is a source.
func (f *follower) next() (line, error) {
	for {
		l, err := f.step()
		if l.size > 0 || err != nil {
			return l, err
		}
	}
}

// step returns a line, an error, or neither where it went on to another file.
func (f *follower) step() (line, error) {
	l, err := f.source.next()
	switch {
	case err == nil:
		return l, nil
	case errors.Is(err, io.EOF):
		return f.atEnd()
	case errors.Is(err, errRewritten):
		return line{}, f.elsewhere()
	case f.source.packed:
		return line{}, f.broken(err)
	default:
		return line{}, err
	}
}

// atEnd is called where the source has no further complete line. It returns an
// unfinished last line if the file will not grow any more; neither a line nor an
// error where there is more to read; io.EOF where there is not.
func (f *follower) atEnd() (line, error) {
	if other, err := f.source.rewritten(); err != nil {
		return line{}, err
	} else if other {
		return line{}, f.elsewhere()
	}
	_, f.modified, _ = f.source.size()
	next, err := f.successor()
	switch {
	case err != nil:
		return line{}, err
	case next == nil:
		return line{}, io.EOF
	case !f.ending:
		// It may have been written to until the next one was begun.
		f.ending = true
		return line{}, nil
	case f.source.lines.unfinished() > 0:
		return f.source.rest(), nil
	default:
		return line{}, f.follow(next)
	}
}

// follow goes on with the source's successor.
func (f *follower) follow(next *file) error {
	p, expected := f.position(), f.expected
	if expected.is(f.source) {
		expected = nil // it was the source that had been compressed before it could be known
	}
	err := f.open(*next, 0)
	switch {
	case errors.Is(err, errMoved):
		return nil // it is looked for once more
	case err == nil:
		f.surprise(p, expected)
	}
	return err
}

// elsewhere goes on where what was read is now, as the source is not that any
// more; where it is nowhere, it says so.
func (f *follower) elsewhere() error {
	p := f.position()
	return settled(func() error { return f.relocate(p, gapRewritten) })
}

// errMoved is the error of a file that got another name while it was opened by
// the one that it had.
var errMoved = errors.New("the file was moved")

// begin opens the file to begin with, io.EOF where there is none yet.
func (f *follower) begin() error {
	return settled(func() error {
		if f.stored != nil {
			return f.relocate(*f.stored, gapGone)
		}
		files, err := filesOf(f.path)
		switch {
		case err != nil:
			return err
		case len(files) == 0:
			return io.EOF
		case f.from == FromOldest:
			return f.open(files[0], 0)
		default:
			return f.beginCurrent(files[len(files)-1])
		}
	})
}

// settled repeats what failed only because files were moved meanwhile.
func settled(do func() error) (err error) {
	for range 5 {
		if err = do(); !errors.Is(err, errMoved) {
			break
		}
	}
	return err
}

// beginCurrent begins with the last of the files.
func (f *follower) beginCurrent(current file) error {
	if current.path != f.path {
		return io.EOF // it is being rotated
	}
	offset := int64(0)
	if f.from == FromEnd {
		var err error
		if offset, err = lastLine(current.path); err != nil {
			return err
		}
	}
	return f.open(current, offset)
}

// open goes on with another file.
func (f *follower) open(next file, offset int64) error {
	s, err := openSource(next.path, offset, print{})
	if errors.Is(err, fs.ErrNotExist) {
		return errMoved
	}
	if err != nil {
		return err
	}
	if s.node != nodeOf(next.info) {
		s.close()
		return errMoved
	}
	f.use(s)
	return nil
}

func (f *follower) use(s *source) {
	f.close()
	f.source, f.ending, f.expected = s, false, nil
	f.stored, f.from = nil, FromStart
	f.metrics.files.Inc()
	f.logger.Info("reading a file", "file", s.path, "offset", s.offset)
}

func (f *follower) close() {
	if f.source != nil {
		f.source.close()
		f.source = nil
	}
}

// position returns how far lines were handed out. There is a source, or there was.
func (f *follower) position() Position {
	s := f.source
	if s == nil {
		p := *f.stored
		p.LastEvent = f.last
		return p
	}
	p := Position{
		Version: positionVersion, File: f.path, Path: s.path, Node: s.node, Print: s.print, Offset: s.offset,
		Modified: f.modified, LastEvent: f.last,
	}
	if p.Modified.IsZero() {
		_, p.Modified, _ = s.size()
	}
	return p
}

// lag returns how many bytes on disk were not handed out.
func (f *follower) lag() (int64, error) {
	files, err := filesOf(f.path)
	if err != nil || f.source == nil {
		return sizeOf(files), err
	}
	size, _, err := f.source.size()
	if !f.source.packed {
		size = max(size-f.source.offset, 0)
	}
	newer := f.behind(files)
	f.expect(newer)
	return size + sizeOf(newer), err
}

func sizeOf(files []file) (n int64) {
	for _, f := range files {
		n += f.info.Size()
	}
	return n
}
