package chdb

import (
	"errors"
	"runtime"
	"unsafe"
)

// ErrInsertEnded is Write's error after Commit or Abort.
var ErrInsertEnded = errors.New("the insert has ended")

// Insert is an INSERT that takes its data in pieces.
type Insert struct {
	conn   *Conn
	handle unsafe.Pointer
	ended  bool
}

// Insert starts an INSERT: sql holds neither a FORMAT clause nor data.
func (c *Conn) Insert(sql, format string, params []Param) (*Insert, error) {
	handle := c.start(c.lib.streamInsert, sql, format, params)
	if handle == nil {
		return nil, parseError("the engine gave no insert stream")
	}
	i := &Insert{conn: c, handle: handle}
	if text := c.lib.insertError(handle); text != "" {
		i.Close()
		return nil, parseError(text)
	}
	return i, nil
}

// Write hands over the next bytes of the data, cut anywhere. It blocks while
// the engine is behind. The bytes are copied.
func (i *Insert) Write(p []byte) (int, error) {
	if i.ended {
		return 0, ErrInsertEnded
	}
	if len(p) == 0 {
		return 0, nil
	}
	state := i.conn.lib.insertAppend(i.handle, bytesPointer(p), uint64(len(p)))
	runtime.KeepAlive(p)
	if state != 0 {
		return 0, parseError(i.conn.lib.insertError(i.handle))
	}
	return len(p), nil
}

// Commit says that the data are complete and returns how many rows were
// written.
func (i *Insert) Commit() (uint64, error) {
	if i.ended {
		return 0, ErrInsertEnded
	}
	i.ended = true
	result, err := newResult(i.conn.lib, i.conn.lib.insertDone(i.handle))
	if err != nil {
		return 0, err
	}
	defer result.Release()
	return result.RowsWritten(), nil
}

// Close frees the insert; one that was not committed is cancelled. It must be
// called once.
func (i *Insert) Close() {
	if !i.ended {
		i.ended = true
		i.conn.lib.insertCancel(i.handle)
	}
	i.conn.lib.insertDestroy(i.handle)
}
