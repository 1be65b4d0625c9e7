package output

import (
	"io"
	"strconv"

	"github.com/klaxon-dev/klaxon/internal/query"
)

// NewBlindness returns a writer of what rules could not see, in the order in which
// it comes.
func NewBlindness(w io.Writer, format Format) *Writer[query.Blind] {
	return NewWriter(w, format, []Column{
		{Title: "TIMES", Right: true},
		{Title: "RULE", Max: 40},
		{Title: "CLUSTER", Max: 32},
		{Title: "RESOURCE", Max: 40},
		{Title: "NEEDS", Max: 16},
		{Title: "SINCE"},
		{Title: "LAST"},
	}, blindCells)
}

func blindCells(b *query.Blind) []string {
	return []string{
		strconv.FormatInt(b.Evaluations, 10),
		string(b.Rule),
		orDash(string(b.Cluster)),
		orDash(b.Resource),
		string(b.Needs),
		hour(b.Since),
		hour(b.Last),
	}
}
