package tail

import (
	"bytes"
	"errors"
	"io"

	"github.com/klaxon-dev/klaxon/audit"
)

// keptLetter is how much of a dead letter the receiver keeps by default, bytes.
const keptLetter = 4 << 20

// Bounds of a line, in bytes.
const (
	// maxLine is what the receiver reads of one event. The rest of a longer line
	// is passed over.
	maxLine = audit.DefaultMaxItemBytes
	// keptLine is how much of a longer line is kept: with its newline, a letter.
	keptLine = keptLetter - 1
	// readSize is how much is read at once, at least.
	readSize = 256 << 10
	// keepSize is how much memory is kept behind a long line.
	keepSize = 4 << 20
)

// line is a line of a file. Its text is valid until the next one is read.
type line struct {
	text []byte // without the newline; the first part of one that is too long
	size int64  // in the file, the newline included
	long bool   // longer than maxLine
}

// lines cuts what a reader gives into lines. A reader at its end may give more
// later. It is used by one goroutine.
type lines struct {
	r        io.Reader
	buf      []byte
	start    int   // of the line at hand
	searched int   // there is no newline from start up to here
	passed   int64 // bytes of the line at hand that are not kept
	max      int   // 0: maxLine
}

// next returns the next line that is complete: a line ends with its newline.
// io.EOF says that there is none now.
func (l *lines) next() (line, error) {
	for {
		if i := bytes.IndexByte(l.buf[l.searched:], '\n'); i >= 0 {
			return l.cut(l.searched+i, 1), nil
		}
		l.searched = len(l.buf)
		l.pass()
		if err := l.fill(); err != nil {
			return line{}, err
		}
	}
}

// rest returns what stands behind the last newline, as a line.
func (l *lines) rest() line { return l.cut(len(l.buf), 0) }

// unfinished returns the length of what stands behind the last newline.
func (l *lines) unfinished() int64 { return int64(len(l.buf)-l.start) + l.passed }

// cut hands out the line that ends before end and is ended by so many bytes.
func (l *lines) cut(end, newline int) line {
	text := l.buf[l.start:end]
	found := line{text: text, size: int64(len(text)+newline) + l.passed, long: l.passed > 0 || len(text) > l.limit()}
	if found.long {
		found.text = text[:min(len(text), keptLine, l.limit())]
	}
	l.start = end + newline
	l.searched, l.passed = l.start, 0
	return found
}

// pass lets go of the middle of a line that is too long.
func (l *lines) pass() {
	if len(l.buf)-l.start <= l.limit() {
		return
	}
	keep := l.start + min(keptLine, l.limit())
	l.passed += int64(len(l.buf) - keep)
	l.buf = l.buf[:keep]
	l.searched = keep
}

func (l *lines) limit() int {
	if l.max > 0 {
		return l.max
	}
	return maxLine
}

// fill reads more.
func (l *lines) fill() error {
	if cap(l.buf)-len(l.buf) < readSize {
		kept := l.buf[l.start:]
		next := l.buf[:0]
		if len(kept)+readSize > cap(l.buf) || (cap(l.buf) > keepSize && len(kept) < readSize) {
			next = make([]byte, 0, 2*len(kept)+readSize)
		}
		l.buf = append(next, kept...)
		l.searched -= l.start
		l.start = 0
	}
	n, err := l.r.Read(l.buf[len(l.buf):cap(l.buf)])
	l.buf = l.buf[:len(l.buf)+n]
	switch {
	case n > 0:
		return nil
	case err == nil, errors.Is(err, io.EOF):
		return io.EOF
	default:
		return err
	}
}
