package output

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/klaxon-dev/klaxon/internal/query"
)

// NewDeadLetters returns a writer of dead letters in the order in which they
// come.
func NewDeadLetters(w io.Writer, format Format) *Writer[query.DeadLetter] {
	return NewWriter(w, format, []Column{
		{Title: "RECEIVED"},
		{Title: "REASON", Max: 24},
		{Title: "CLUSTER", Max: 32},
		{Title: "SENDER", Max: 40},
		{Title: "BYTES", Right: true},
		{Title: "KEPT", Right: true},
		{Title: "ID"},
	}, deadLetterCells)
}

func deadLetterCells(d *query.DeadLetter) []string {
	return []string{
		timestamp(d.Received),
		d.Reason,
		orDash(string(d.Cluster)),
		orDash(d.Sender),
		strconv.FormatInt(d.Length, 10),
		strconv.FormatInt(d.Kept, 10),
		d.ID.String(),
	}
}

// shownBytes is how much of a dead letter WriteDeadLetter shows.
const shownBytes = 8 << 10

// WriteDeadLetter writes one dead letter that was opened: in a table's stead
// what is known of it and its text, spelled out, around the fault; in both forms
// of JSON the letter alone, as one object with its whole text in base64.
func WriteDeadLetter(w io.Writer, format Format, d *query.OpenLetter) error {
	if format != FormatTable {
		return NewWriter[query.OpenLetter](w, FormatNDJSON, nil, nil).WriteAll([]query.OpenLetter{*d})
	}
	_, err := io.WriteString(w, deadLetterText(d))
	return err
}

func deadLetterText(d *query.OpenLetter) string {
	var b strings.Builder
	line := func(name, value string) { fmt.Fprintf(&b, "%-9s %s\n", name, Text(value, maxValue)) }
	kept := int64(len(d.Text))
	line("reason", d.Reason)
	line("received", timestamp(d.Received))
	line("cluster", orDash(string(d.Cluster)))
	line("sender", orDash(d.Sender))
	if kept == d.Length {
		line("size", fmt.Sprintf("%d bytes, all kept", d.Length))
	} else {
		line("size", fmt.Sprintf("%d bytes, the first %d kept", d.Length, kept))
	}
	line("begins", fmt.Sprintf("at byte %d of its request", d.Offset))
	fault := 0
	if 0 < d.Fault && d.Fault <= kept {
		fault = int(d.Fault)
		line("breaks", fmt.Sprintf("at byte %d", d.Fault))
	}
	line("key", orDash(d.KeyID))
	line("id", d.ID.String())
	from, to := around(len(d.Text), fault)
	if to-from < len(d.Text) {
		line("shown", fmt.Sprintf("bytes %d to %d: --raw gives all", from, to))
	}
	b.WriteByte('\n')
	if fault == 0 {
		writeLines(&b, d.Text[from:to])
		return b.String()
	}
	writeLines(&b, d.Text[from:fault])
	fmt.Fprintf(&b, "^ here it breaks, at byte %d\n", fault)
	writeLines(&b, d.Text[fault:to])
	return b.String()
}

// around returns which bytes of a text are shown.
func around(length, fault int) (from, to int) {
	from = max(0, min(fault-shownBytes/2, length-shownBytes))
	return from, min(length, from+shownBytes)
}

// writeLines spells each line out, behind a mark that tells it from klaxon's own
// words.
func writeLines(b *strings.Builder, text []byte) {
	for line := range bytes.Lines(text) {
		b.WriteString("| ")
		b.WriteString(Text(string(bytes.TrimSuffix(line, []byte("\n"))), unlimited))
		b.WriteByte('\n')
	}
}
