package tail

import (
	"errors"
	"io"
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
	ending   bool      // the source has a successor: it is read to its end once more
	modified time.Time // of the source, when its end was seen last
	last     time.Time // stageTimestamp of the last event that was accepted
	gaps     int
}

// next returns the next line, io.EOF where there is none now. The line is valid
// until the next call.
func (f *follower) next() (line, error) {
	if f.source == nil {
		if err := f.begin(); err != nil {
			return line{}, err
		}
	}
	for {
		l, err := f.source.next()
		switch {
		case err == nil:
			return l, nil
		case errors.Is(err, io.EOF):
			l, err = f.atEnd()
		case f.source.packed:
			err = f.broken(err)
		}
		if l.size > 0 || err != nil {
			return l, err
		}
	}
}

// atEnd is called where the source has no further complete line. It returns an
// unfinished last line if the file will not grow any more; neither a line nor an
// error where there is more to read; io.EOF where there is not.
func (f *follower) atEnd() (line, error) {
	other, err := f.source.rewritten()
	if err != nil {
		return line{}, err
	}
	if other {
		return line{}, f.relocate(f.position(), gapRewritten)
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
		return line{}, f.open(next.path, 0)
	}
}

// begin opens the file to begin with, io.EOF where there is none yet.
func (f *follower) begin() error {
	if f.stored != nil {
		return f.relocate(*f.stored, gapGone)
	}
	files, err := filesOf(f.path)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return io.EOF
	}
	if f.from == FromOldest {
		return f.open(files[0].path, 0)
	}
	current := files[len(files)-1].path
	switch {
	case current != f.path:
		return io.EOF // it is being rotated
	case f.from == FromEnd:
		offset, err := lastLine(current)
		if err != nil {
			return err
		}
		return f.open(current, offset)
	default:
		return f.open(current, 0)
	}
}

// open goes on with another file.
func (f *follower) open(path string, offset int64) error {
	s, err := openSource(path, offset, print{})
	if err != nil {
		return err
	}
	f.use(s)
	return nil
}

func (f *follower) use(s *source) {
	f.close()
	f.source, f.ending, f.stored, f.from = s, false, nil, FromStart
	f.metrics.files.Inc()
	f.logger.Info("reading a file", "file", s.path, "offset", s.offset)
}

func (f *follower) close() {
	if f.source != nil {
		f.source.close()
		f.source = nil
	}
}

// position returns how far lines were handed out. There is a source.
func (f *follower) position() Position {
	s := f.source
	_ = s.grow() // a print that cannot be read now stays short
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
	return size + sizeOf(f.behind(files)), err
}

func sizeOf(files []file) (n int64) {
	for _, f := range files {
		n += f.info.Size()
	}
	return n
}
