package output

import (
	"encoding/csv"
	"io"
	"strings"
)

// CSV writes rows that a spreadsheet reads as text and never as a formula: a
// cell that begins like one (= + - @, tab, carriage return, also after spaces
// and in full-width form) gets an apostrophe in front, as spreadsheets
// themselves mark text. Cells are spelled out as by [Text], uncut.
type CSV struct{ w *csv.Writer }

// NewCSV returns a CSV that writes to w.
func NewCSV(w io.Writer) *CSV { return &CSV{csv.NewWriter(w)} }

// Row writes one row. Its error may come with a later row or with Flush.
func (c *CSV) Row(cells ...string) error {
	safe := make([]string, len(cells))
	for i, cell := range cells {
		safe[i] = defuse(cell)
	}
	return c.w.Write(safe)
}

// Flush writes what is held back.
func (c *CSV) Flush() error {
	c.w.Flush()
	return c.w.Error()
}

func defuse(cell string) string {
	text := Text(cell, unlimited)
	first := strings.TrimLeft(cell, " \n\v\f\u00a0\u3000\ufeff")
	if first != "" && strings.ContainsRune("=+-@\t\r＝＋－＠", []rune(first)[0]) {
		return "'" + text
	}
	return text
}
