package output

import (
	"cmp"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/rules"
)

// WriteFindings writes findings: in a table the most severe first, else in the
// order in which they are given.
func WriteFindings(w io.Writer, format Format, findings []detect.Finding) error {
	if format == FormatTable {
		findings = slices.Clone(findings)
		slices.SortStableFunc(findings, func(a, b detect.Finding) int {
			return cmp.Compare(rules.Severity(b.Severity).Rank(), rules.Severity(a.Severity).Rank())
		})
	}
	return NewFindings(w, format).WriteAll(findings)
}

// NewFindings returns a writer of findings in the order in which they come.
func NewFindings(w io.Writer, format Format) *Writer[detect.Finding] {
	return NewWriter(w, format, []Column{
		{Title: "SEVERITY"},
		{Title: "LAST SEEN"},
		{Title: "CLUSTER", Max: 32},
		{Title: "COUNT", Right: true},
		{Title: "TITLE", Max: 72},
		{Title: "ACTOR", Max: 48},
		{Title: "OBJECT", Max: 56},
		{Title: "RULE", Max: 40},
		{Title: "ID"},
	}, findingCells)
}

func findingCells(f *detect.Finding) []string {
	return []string{
		severityText(f),
		timestamp(f.LastSeen),
		orDash(string(f.Cluster)),
		countCell(f),
		f.Title,
		orDash(f.Actor),
		orDash(findingObject(f)),
		f.Rule,
		f.ID.String(),
	}
}

// countCell marks a count that may be too small.
func countCell(f *detect.Finding) string {
	text := strconv.FormatInt(f.Count, 10)
	if f.Degraded {
		text += "+"
	}
	return text
}

// severityText marks what is never routed.
func severityText(f *detect.Finding) string {
	if f.Shadow {
		return f.Severity + " (shadow)"
	}
	return f.Severity
}

// findingObject returns the object of the first event, else the namespace.
func findingObject(f *detect.Finding) string {
	if len(f.Events) > 0 && f.Events[0].Object != "" {
		return f.Events[0].Object
	}
	return f.Namespace
}

// timestamp returns t in UTC, to the second; events have microseconds, which
// JSON shows.
func timestamp(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// hour returns the hour of t in UTC.
func hour(t time.Time) string { return t.UTC().Format("2006-01-02 15h") }

func orDash(s string) string { return cmp.Or(s, "-") }
