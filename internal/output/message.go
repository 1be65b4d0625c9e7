package output

import (
	"io"
	"strings"
)

// Message returns what this program says, as an error or a rule as it was
// written, with what others wrote inside it spelled out as by [Text]: it may
// quote them, by accident too. Its lines, its backslashes and its length stay.
func Message(s string) string {
	if isPlain(s) {
		return s
	}
	var b strings.Builder
	for line := range strings.Lines(s) {
		text, ended := strings.CutSuffix(line, "\n")
		for i, part := range strings.Split(text, `\`) {
			if i > 0 {
				b.WriteByte('\\')
			}
			b.WriteString(Text(part, unlimited))
		}
		if ended {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// Log is where the lines of a log go on their way to W. What its format leaves
// as it is and a terminal would act on or hide (slog leaves DEL, its JSON also
// bidirectional and C1 controls) is spelled out as in a string of JSON. It is as
// safe for concurrent use as W.
type Log struct{ W io.Writer }

// Write writes whole lines, as a handler of slog does.
func (l Log) Write(lines []byte) (int, error) {
	if _, err := l.W.Write(AppendJSON(make([]byte, 0, len(lines)), lines)); err != nil {
		return 0, err
	}
	return len(lines), nil
}
