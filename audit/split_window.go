package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Sizes of the chunks that an input is read in, in bytes. The first is small
// for small bodies, each further one twice the size of the one before.
const (
	minChunk = 16 << 10
	maxChunk = 256 << 10
)

// window is the part of an input that is in memory and not handed out yet. It
// reads into chunks and never writes over what it has read, so that values are
// handed out without a copy: they share a chunk with their neighbours.
type window struct {
	r      io.Reader
	buf    []byte
	start  int   // what is before it is handed out
	pos    int   // what is before it is understood; start <= pos
	offset int64 // of buf[start] in the input
	lines  lineRule
	line   int   // of buf[start], from 1; counted unless noLines
	limit  int   // bytes that are kept from start on
	full   bool  // the limit was reached when more was asked for
	stuck  bool  // there was no more when it was asked for
	err    error // of r, io.EOF at the end
}

func newWindow(r io.Reader, limits SplitLimits) window {
	return window{r: r, line: 1, limit: limits.maxItemBytes()}
}

// more reads on. It returns false at the end, on an error and at the limit.
func (w *window) more() bool {
	w.stuck = !w.read()
	return !w.stuck
}

func (w *window) read() bool {
	if w.full = len(w.buf)-w.start > w.limit; w.full || w.err != nil {
		return false
	}
	if len(w.buf) == cap(w.buf) {
		w.grow()
	}
	const attempts = 100 // a reader that gives nothing that often gives nothing
	for range attempts {
		n, err := w.r.Read(w.buf[len(w.buf):cap(w.buf)])
		w.buf = w.buf[:len(w.buf)+n]
		w.err = err
		if n > 0 {
			return true
		}
		if err != nil {
			return false
		}
	}
	w.err = io.ErrNoProgress
	return false
}

// grow takes a new chunk and copies into it what is not handed out.
func (w *window) grow() {
	kept := w.buf[w.start:]
	size := max(min(2*cap(w.buf), maxChunk), minChunk, 2*len(kept))
	w.buf = append(make([]byte, 0, size), kept...)
	w.pos -= w.start
	w.start = 0
}

// shed leaves a chunk that was made for a large value: what comes next shall not
// keep it in memory.
func (w *window) shed() {
	if w.r != nil && cap(w.buf) > 2*maxChunk && len(w.buf)-w.start <= maxChunk {
		w.grow()
	}
}

// next returns the next byte at or behind pos that is not white space and
// moves pos there; false at the end of what can be read.
func (w *window) next() (byte, bool) {
	for {
		for ; w.pos < len(w.buf); w.pos++ {
			switch c := w.buf[w.pos]; c {
			case ' ', '\t', '\r', '\n':
			default:
				return c, true
			}
		}
		if !w.more() {
			return 0, false
		}
	}
}

// flush lets go of everything before pos.
func (w *window) flush() {
	if w.lines != noLines {
		w.line += bytes.Count(w.buf[w.start:w.pos], []byte{'\n'})
	}
	w.offset += int64(w.pos - w.start)
	w.start = w.pos
}

// value moves pos behind the value that begins there and returns its text.
func (w *window) value() ([]byte, cut) {
	if c, ok := w.next(); !ok {
		return nil, cutMore
	} else if c != '{' && c != '[' && c != '"' {
		return w.scalar()
	}
	c := cutter{lines: w.lines}
	for {
		switch data := w.buf[w.pos:]; c.run(data) {
		case cutDone:
			w.pos += c.pos
			return data[:c.pos:c.pos], cutDone
		case cutBroken:
			return data[:c.pos:c.pos], cutBroken
		}
		if !w.more() {
			return w.buf[w.pos:], cutMore
		}
	}
}

// scalar moves behind the number or literal at pos, or whatever else stands
// before the next delimiter.
func (w *window) scalar() ([]byte, cut) {
	n := 0
	for {
		data := w.buf[w.pos:]
		for ; n < len(data); n++ {
			switch data[n] {
			case ',', ']', '}', ' ', '\t', '\r', '\n', ':', '[', '{', '"':
				w.pos += n
				return data[:n:n], cutDone
			}
		}
		if !w.more() {
			return data, cutMore
		}
	}
}

// skipValue moves behind the rest of a value that is larger than the limit and
// lets go of it, or to the end of the input.
func (w *window) skipValue(c cutter) {
	for {
		data := w.buf[w.pos:]
		if c.run(data) != cutMore {
			w.pos += c.pos
			w.flush()
			return
		}
		w.pos += c.pos
		c.drop(data[:c.pos])
		w.flush()
		if !w.more() {
			return
		}
	}
}

// skipLine moves behind the current line and lets go of it, or to the end of
// the input.
func (w *window) skipLine() {
	for {
		if i := bytes.IndexByte(w.buf[w.pos:], '\n'); i >= 0 {
			w.pos += i + 1
			w.flush()
			return
		}
		w.pos = len(w.buf)
		w.flush()
		if !w.more() {
			return
		}
	}
}

// readError returns why the input could not be read, nil where it has ended.
func (w *window) readError() error {
	if w.err == nil || errors.Is(w.err, io.EOF) {
		return nil
	}
	return fmt.Errorf("read: %w", w.err)
}
