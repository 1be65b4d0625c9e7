package output

import (
	"encoding/json"
	"fmt"
	"io"
)

// Writer writes values one by one in a format. It holds at most a block of a
// table's rows. It is used by one goroutine.
type Writer[T any] struct {
	w      io.Writer
	format Format
	table  *Table
	cells  func(*T) []string
	buf    []byte
	count  int
}

// NewWriter returns a writer of values that a table shows by cells and JSON as
// encoding/json writes them.
func NewWriter[T any](w io.Writer, format Format, columns []Column, cells func(*T) []string) *Writer[T] {
	return &Writer[T]{w: w, format: format, table: NewTable(w, columns...), cells: cells}
}

// Write writes one value.
func (w *Writer[T]) Write(v *T) error {
	w.count++
	switch w.format {
	case FormatTable:
		return w.table.Row(w.cells(v)...)
	case FormatJSON:
		before := ",\n"
		if w.count == 1 {
			before = "["
		}
		return w.json(before, v, "")
	case FormatNDJSON:
		return w.json("", v, "\n")
	default:
		return fmt.Errorf("there is no format %q", w.format)
	}
}

func (w *Writer[T]) json(before string, v *T, after string) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.buf = append(w.buf[:0], before...)
	w.buf = append(AppendJSON(w.buf, text), after...)
	_, err = w.w.Write(w.buf)
	return err
}

// Close writes what is held back and ends the array of JSON. It does not close
// the writer below.
func (w *Writer[T]) Close() error {
	var end string
	switch {
	case w.format == FormatTable:
		return w.table.Flush()
	case w.format == FormatJSON && w.count == 0:
		end = "[]\n"
	case w.format == FormatJSON:
		end = "]\n"
	}
	_, err := io.WriteString(w.w, end)
	return err
}

// WriteAll writes all values and closes w.
func (w *Writer[T]) WriteAll(values []T) error {
	for i := range values {
		if err := w.Write(&values[i]); err != nil {
			return err
		}
	}
	return w.Close()
}
