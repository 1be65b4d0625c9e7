package output

import (
	"io"
	"strings"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/internal/query"
)

// WriteEvents writes events in the order in which they are given.
func WriteEvents(w io.Writer, format Format, events []query.Event) error {
	return NewEvents(w, format).WriteAll(events)
}

// NewEvents returns a writer of events in the order in which they come.
func NewEvents(w io.Writer, format Format) *Writer[query.Event] {
	return NewWriter(w, format, []Column{
		{Title: "TIME"},
		{Title: "CLUSTER", Max: 24},
		{Title: "USER", Max: 48},
		{Title: "VERB", Max: 16},
		{Title: "OBJECT", Max: 72},
		{Title: "CODE", Right: true},
		{Title: "STAGE", Max: 16},
		{Title: "SOURCE", Max: 40},
		{Title: "EVENT ID"},
	}, eventCells)
}

func eventCells(e *query.Event) []string {
	return []string{
		timestamp(e.Event.StageTime),
		string(e.Cluster),
		orDash(userText(&e.Event)),
		e.Event.Verb,
		orDash(objectText(&e.Event)),
		codeText(e.Event.ResponseStatus.Code),
		e.Event.Stage,
		orDash(strings.Join(e.Event.SourceIPs, " ")),
		e.ID.String(),
	}
}

// userText names who asked, and as whom where that is another.
func userText(e *audit.Event) string {
	if e.Has(audit.FieldImpersonatedUser) {
		return e.User.Username + " as " + e.ImpersonatedUser.Username
	}
	return e.User.Username
}

// objectText names what was asked for: the object, or the path where there is
// none.
func objectText(e *audit.Event) string {
	if !e.Has(audit.FieldObjectRef) {
		return e.Path()
	}
	return strings.TrimSpace(e.Resource() + " " + e.ObjectKey())
}
