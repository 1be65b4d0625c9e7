package ingest

import (
	"errors"
	"io"
)

// body reads a request's body and asks for room for what it reads. It keeps
// the first error, so that whoever reads through a parser can tell a body that
// is wrong from one that did not arrive.
type body struct {
	src  io.Reader
	left int64               // bytes that may still come
	take func(n int64) error // asks for room; its error ends the body
	err  error               // the first error but io.EOF
}

func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.src.Read(p)
	b.left -= int64(n)
	switch {
	case b.left < 0:
		b.err = errBodyTooLong
	case n > 0:
		b.err = b.take(int64(n))
	}
	if b.err == nil && err != nil && !errors.Is(err, io.EOF) {
		b.err = readError{err}
	}
	if b.err != nil {
		return 0, b.err
	}
	return n, err
}
