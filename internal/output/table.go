package output

import (
	"io"
	"slices"
	"strings"
)

// Column is a column of a Table.
type Column struct {
	Title string
	Max   int  // columns of the terminal at most; 0: 64
	Right bool // aligned to the right, as numbers are
}

// defaultMax is how wide a column is at most that does not say it.
const defaultMax = 64

// blockRows is how many rows are aligned with one another: a longer table is
// written block by block, so that its memory is bounded.
const blockRows = 1000

// Table aligns rows of text. Cells are rendered by [Text] and cut to their
// column. It is used by one goroutine.
type Table struct {
	w       io.Writer
	columns []Column
	widths  []int
	rows    [][]cell
	headed  bool
}

type cell struct {
	text    string
	columns int
}

// NewTable returns a table that writes to w. Nothing is written for a table
// without rows.
func NewTable(w io.Writer, columns ...Column) *Table {
	t := &Table{w: w, columns: columns, widths: make([]int, len(columns))}
	for i, c := range columns {
		t.widths[i] = len(c.Title)
	}
	return t
}

// Row adds a row; cells past the columns are left out.
func (t *Table) Row(cells ...string) error {
	row := make([]cell, len(t.columns))
	for i := range row {
		if i < len(cells) {
			row[i] = t.cell(i, cells[i])
		}
		t.widths[i] = max(t.widths[i], row[i].columns)
	}
	if t.rows = append(t.rows, row); len(t.rows) == blockRows {
		return t.Flush()
	}
	return nil
}

func (t *Table) cell(column int, text string) cell {
	limit := t.columns[column].Max
	if limit == 0 {
		limit = defaultMax
	}
	rendered, columns := appendText(nil, text, limit)
	return cell{string(rendered), columns}
}

// Flush writes the rows that are held back for alignment.
func (t *Table) Flush() error {
	if len(t.rows) == 0 {
		return nil
	}
	var b strings.Builder
	if !t.headed {
		t.headed = true
		t.line(&b, t.head())
	}
	for _, row := range t.rows {
		t.line(&b, row)
	}
	t.rows = slices.Delete(t.rows, 0, len(t.rows))
	_, err := io.WriteString(t.w, b.String())
	return err
}

func (t *Table) head() []cell {
	head := make([]cell, len(t.columns))
	for i, c := range t.columns {
		head[i] = cell{c.Title, len(c.Title)}
	}
	return head
}

// line writes one row, without space at its end.
func (t *Table) line(b *strings.Builder, row []cell) {
	var line strings.Builder
	for i, c := range row {
		pad := strings.Repeat(" ", t.widths[i]-c.columns)
		if t.columns[i].Right {
			line.WriteString(pad + c.text)
		} else {
			line.WriteString(c.text + pad)
		}
		line.WriteString("  ")
	}
	b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
}
