package tail

import (
	"bytes"
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
	head   []byte // what it begins with, as far as that is known
	print  print  // of head
	lines  lines
	offset int64 // behind the line that was handed out last
	read   int64 // how far a plain file was read
}

// errOther is the error of a file that is not the one that was looked for,
// errRewritten that of one that is not what it was any more.
var (
	errOther     = errors.New("it is another file")
	errRewritten = errors.New("it was cut, or cut and written anew")
)

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
	s.head, s.print = first, printOf(first)
	if s.packed {
		return s.skip()
	}
	if info.Size() < s.offset || int64(len(first)) < min(s.offset, printBytes) {
		return errOther // or it was cut just now
	}
	s.lines.r, s.read = (*plain)(s), s.offset
	return nil
}

// plain reads a file that may be cut, and written anew beyond where it was read
// to, between any two looks at it.
type plain source

// Read returns nothing that is not of the file that is known: where that begins
// as it did after more of it was read, it was the same file before. Its error is
// errRewritten, io.EOF or that of the file.
func (p *plain) Read(b []byte) (int, error) {
	s := (*source)(p)
	n, err := s.file.ReadAt(b, s.read)
	if n == 0 {
		return 0, err
	}
	other, err := s.rewritten()
	if err != nil {
		return 0, err
	}
	if other {
		return 0, errRewritten
	}
	s.learn(b[:n])
	s.read += int64(n)
	return n, nil
}

// learn makes the print longer, of a file that was short when it was opened.
func (s *source) learn(more []byte) {
	known := int64(len(s.head)) - s.read // bytes of more
	if len(s.head) == printBytes || known >= int64(len(more)) {
		return
	}
	more = more[known:]
	s.head = append(s.head, more[:min(len(more), printBytes-len(s.head))]...)
	s.print = printOf(s.head)
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
// was cut, or cut and written anew.
func (s *source) rewritten() (bool, error) {
	if s.packed {
		return false, nil
	}
	info, err := s.file.Stat()
	if err != nil {
		return false, err
	}
	first, err := s.first(len(s.head))
	return info.Size() < s.read || !bytes.Equal(first, s.head), err
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
