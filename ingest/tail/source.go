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
	if got, err := s.read(want.Bytes); err != nil || (want.Bytes > 0 && got != want) {
		return errors.Join(err, errOther)
	}
	if s.print, err = s.read(printBytes); err != nil && !s.packed {
		return err
	}
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

// read returns the print of so many first bytes.
func (s *source) read(bytes int) (print, error) {
	var r io.Reader = io.NewSectionReader(s.file, 0, 1<<62)
	if s.packed {
		plain, err := audit.Decompress(r)
		if err != nil {
			return print{}, err
		}
		r = plain
	}
	return printOf(r, bytes)
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
// was cut, or cut and written anew.
func (s *source) rewritten() (bool, error) {
	if s.packed {
		return false, nil
	}
	info, err := s.file.Stat()
	if err != nil {
		return false, err
	}
	if info.Size() < s.offset+s.lines.unfinished() {
		return true, nil
	}
	now, err := s.read(s.print.Bytes)
	return now != s.print, err
}

// grow makes the print of a file longer that was short when it was opened. The
// file is not rewritten.
func (s *source) grow() error {
	if s.packed || s.print.Bytes == printBytes {
		return nil
	}
	longer, err := s.read(printBytes)
	if err == nil {
		s.print = longer
	}
	return err
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
