package chdb

import "unsafe"

// Stream is the result of a SELECT, fetched a piece at a time.
type Stream struct {
	conn   *Conn
	handle unsafe.Pointer
	ended  bool
}

// Stream starts a SELECT (nothing else streams). Every piece is a document of
// the format by itself: only formats without a head or a foot can be joined.
// Some errors of analysis appear at the first Next only.
func (c *Conn) Stream(sql, format string, params []Param) (*Stream, error) {
	handle := c.start(c.lib.streamQuery, sql, format, params)
	if handle == nil {
		return nil, parseError("the engine gave no stream")
	}
	if text := c.lib.resultError(handle); text != "" {
		c.lib.resultDestroy(handle)
		return nil, parseError(text)
	}
	return &Stream{conn: c, handle: handle}, nil
}

// Next returns the next piece, nil at the end. The caller releases it.
func (s *Stream) Next() (*Result, error) {
	if s.ended {
		return nil, nil
	}
	piece, err := newResult(s.conn.lib, s.conn.lib.fetch(s.conn.handle, s.handle))
	if err != nil {
		s.ended = true
		return nil, err
	}
	if len(piece.Bytes()) == 0 {
		s.ended = true
		piece.Release()
		return nil, nil
	}
	return piece, nil
}

// Close ends the statement, if it still runs, and frees the stream. It must be
// called once.
func (s *Stream) Close() {
	if !s.ended {
		s.conn.lib.cancel(s.conn.handle, s.handle)
	}
	s.conn.lib.resultDestroy(s.handle)
}
