package output

import (
	"fmt"
	"slices"
	"strings"
)

// Format is how a command prints what it found. It is a flag's value
// (github.com/spf13/pflag.Value).
type Format string

// The formats. JSON is one array; NDJSON is one object a line. Both hold the
// same objects, each with its schema.
const (
	FormatTable  Format = "table"
	FormatJSON   Format = "json"
	FormatNDJSON Format = "ndjson"
)

// Formats lists the formats' names.
func Formats() []string {
	return []string{string(FormatTable), string(FormatJSON), string(FormatNDJSON)}
}

// Set makes f the format that text names; the error lists those that there are.
func (f *Format) Set(text string) error {
	if !slices.Contains(Formats(), text) {
		return fmt.Errorf("there is no format %q: want %s", text, strings.Join(Formats(), ", "))
	}
	*f = Format(text)
	return nil
}

// String returns the format's name.
func (f *Format) String() string { return string(*f) }

// Type returns what the help text calls a value.
func (f *Format) Type() string { return "format" }
