package output

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/klaxon-dev/klaxon/detect"
)

// Bounds of what one finding shows, in columns.
const (
	maxValue     = 512
	maxParagraph = 4096
)

// WriteFinding writes one finding in full: in a table's stead what it says and
// the events that it lists; in both forms of JSON the finding alone, as one
// object.
func WriteFinding(w io.Writer, format Format, f *detect.Finding) error {
	if format != FormatTable {
		return NewFindings(w, FormatNDJSON).WriteAll([]detect.Finding{*f})
	}
	if _, err := io.WriteString(w, findingText(f)); err != nil {
		return err
	}
	return NewWriter(w, FormatTable, []Column{
		{Title: "TIME"},
		{Title: "USER", Max: 48},
		{Title: "VERB", Max: 16},
		{Title: "OBJECT", Max: 72},
		{Title: "CODE", Right: true},
		{Title: "SOURCE", Max: 40},
		{Title: "EVENT ID"},
	}, refCells).WriteAll(f.Events)
}

func findingText(f *detect.Finding) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", Text(f.Title, maxValue))
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%-12s %s\n", name, Text(value, maxValue))
		}
	}
	line("severity", severityText(f))
	line("rule", f.Rule+" (version "+f.RuleVersion+")")
	line("cluster", string(f.Cluster))
	line("namespace", f.Namespace)
	line("actor", f.Actor)
	line("key", f.Key.String())
	line("first seen", timestamp(f.FirstSeen))
	line("last seen", timestamp(f.LastSeen))
	line("requests", countText(f))
	line("tags", strings.Join(f.Tags, ", "))
	line("state", stateText(f))
	line("id", f.ID.String())
	line("fingerprint", f.Fingerprint.String())
	b.WriteByte('\n')
	if f.Description != "" {
		writeParagraph(&b, f.Description)
	}
	return b.String()
}

func stateText(f *detect.Finding) string {
	text := string(f.State)
	if why, found := reasons[f.Reason]; found {
		text += " early: " + why
	}
	return fmt.Sprintf("%s, revision %d", text, f.Revision)
}

// reasons say why a finding closed early.
var reasons = map[detect.Reason]string{
	detect.ReasonRuleRemoved: "its rule was removed",
	detect.ReasonRuleChanged: "its rule was changed",
	detect.ReasonLost:        "what it was made of is lost",
}

func countText(f *detect.Finding) string {
	text := strconv.FormatInt(f.Count, 10)
	if f.Saturated {
		text = "at most " + text
	}
	if int64(len(f.Events)) < f.Count {
		text += fmt.Sprintf(", %d of their events below", len(f.Events))
	}
	if f.Degraded {
		text += "; or more: events of its time were lost (docs/operations.md)"
	}
	return text
}

// writeParagraph keeps the lines of a rule's text: a newline in it is its own.
func writeParagraph(b *strings.Builder, text string) {
	left := maxParagraph
	for line := range strings.Lines(text) {
		line = Text(strings.TrimRight(line, "\n"), max(left, 1))
		left -= len(line)
		b.WriteString(line + "\n")
		if left <= 0 {
			break
		}
	}
	b.WriteByte('\n')
}

func refCells(e *detect.EventRef) []string {
	return []string{
		timestamp(e.Time),
		orDash(e.User),
		e.Verb,
		orDash(e.Object),
		codeText(e.Code),
		orDash(strings.Join(e.SourceIPs, " ")),
		e.EventID.String(),
	}
}

func codeText(code int32) string {
	if code == 0 {
		return "-"
	}
	return strconv.Itoa(int(code))
}
