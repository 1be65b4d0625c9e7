package chdb

import "unsafe"

// Result is the outcome of a statement or a piece of one, in C memory.
type Result struct {
	lib    *library
	handle unsafe.Pointer
}

// newResult takes over a result handle; a result that is an error is released
// at once.
func newResult(lib *library, handle unsafe.Pointer) (*Result, error) {
	if handle == nil {
		return nil, parseError("the engine gave no result")
	}
	r := &Result{lib: lib, handle: handle}
	if text := lib.resultError(handle); text != "" {
		r.Release()
		return nil, parseError(text)
	}
	return r, nil
}

// Bytes returns the formatted data. They are valid until Release.
func (r *Result) Bytes() []byte {
	return unsafe.Slice(r.lib.resultBuffer(r.handle), r.lib.resultLength(r.handle))
}

// RowsWritten returns how many rows an insert wrote, those of materialized
// views included.
func (r *Result) RowsWritten() uint64 { return r.lib.resultRowsWritten(r.handle) }

// Release frees the result. It must be called once.
func (r *Result) Release() {
	r.lib.resultDestroy(r.handle)
	r.handle = nil
}
