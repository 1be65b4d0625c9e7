package tail

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/klaxon-dev/klaxon/audit"
)

// source is one file that is read, plain or compressed.
type source struct {
	path   string
	file   *os.File
	packed bool
	node   string
	print  print
	lines  lines
	offset int64 // behind the line that was handed out last
}

// errOther is the error of a file that is not the one that was looked for.
var errOther = errors.New("it is another file")

// openSource opens a file behind so many bytes of its plain text. It must begin
// as want says; the zero print fits any file.
func openSource(path string, offset int64, want print) (*source, error) {
	// What a link leads to may be found again when the link leads elsewhere.
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	// A pipe would let the opening wait for its writer.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	s := &source{path: path, file: f, offset: offset}
	if err := s.begin(want); err != nil {
		s.close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

func (s *source) begin(want print) error {
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("it is not a regular file")
	}
	s.node = nodeOf(info)
	_, s.packed = plainName(s.path)
	first, err := s.first(printBytes)
	if err != nil && !s.packed {
		return err
	}
	if want.Bytes > 0 && (len(first) < want.Bytes || printOf(first[:want.Bytes]) != want) {
		return errOther
	}
	s.print = printOf(first)
	if s.packed {
		return s.skip()
	}
	if info.Size() < s.offset {
		return errOther
	}
	s.lines.r = s.file
	_, err = s.file.Seek(s.offset, io.SeekStart)
	return err
}

// skip decompresses up to the offset. A file that cannot be decompressed at all
// says so where it is read.
func (s *source) skip() error {
	plain, err := audit.Decompress(io.NewSectionReader(s.file, 0, 1<<62))
	if err != nil {
		plain = failing{err}
	}
	if n, err := io.CopyN(io.Discard, plain, s.offset); errors.Is(err, io.EOF) && n < s.offset {
		return errOther
	} else if err != nil {
		return err
	}
	s.lines.r = plain
	return nil
}

// failing is a reader that cannot.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// first returns so many first bytes, or as many as there are.
func (s *source) first(most int) ([]byte, error) {
	var r io.Reader = io.NewSectionReader(s.file, 0, 1<<62)
	if s.packed {
		plain, err := audit.Decompress(r)
		if err != nil {
			return nil, err
		}
		r = plain
	}
	return io.ReadAll(io.LimitReader(r, int64(most)))
}

// begins reports whether the file begins as a print says.
func (s *source) begins(as print) (bool, error) {
	first, err := s.first(as.Bytes)
	return err == nil && printOf(first) == as, err
}

// next returns the next complete line, io.EOF where there is none now.
func (s *source) next() (line, error) {
	l, err := s.lines.next()
	switch {
	case err == nil:
		s.offset += l.size
		return l, nil
	case errors.Is(err, io.EOF):
		return l, io.EOF
	default:
		return l, fmt.Errorf("read %s: %w", s.path, err)
	}
}

// rest returns what stands behind the last newline, as the last line.
func (s *source) rest() line {
	l := s.lines.rest()
	s.offset += l.size
	return l
}

// rewritten reports whether the file is not the one any more that was read: it
// was cut, or cut and written anew. Of one that was short when it was opened, it
// makes the print longer.
func (s *source) rewritten() (bool, error) {
	if s.packed {
		return false, nil
	}
	info, err := s.file.Stat()
	if err != nil {
		return false, err
	}
	first, err := s.first(printBytes)
	if err != nil {
		return false, err
	}
	known := s.print.Bytes
	if info.Size() < s.offset+s.lines.unfinished() || len(first) < known || printOf(first[:known]) != s.print {
		return true, nil
	}
	s.print = printOf(first)
	return false, nil
}

// size returns the file's bytes on disk and when it was written to.
func (s *source) size() (int64, time.Time, error) {
	info, err := s.file.Stat()
	if err != nil {
		return 0, time.Time{}, err
	}
	return info.Size(), info.ModTime(), nil
}

func (s *source) close() { _ = s.file.Close() }
