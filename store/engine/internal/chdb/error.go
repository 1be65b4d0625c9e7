package chdb

import (
	"fmt"
	"regexp"
	"strconv"
)

// Error is an exception of the engine.
type Error struct {
	Code int    // ClickHouse's error code; 1001 where the text names none
	Text string // "Code: N. DB::Exception: …"
}

func (e *Error) Error() string { return e.Text }

// codeUnknown is ClickHouse's code of an exception without one (STD_EXCEPTION).
const codeUnknown = 1001

var codePattern = regexp.MustCompile(`Code: (\d+)\. `)

// NewError makes an exception of the front's own, written as the engine writes
// its own ones.
func NewError(code int, name, format string, args ...any) *Error {
	return &Error{Code: code, Text: fmt.Sprintf("Code: %d. DB::Exception: %s. (%s)", code, fmt.Sprintf(format, args...), name)}
}

// parseError finds the code in an exception's text.
func parseError(text string) *Error {
	if at := codePattern.FindStringSubmatchIndex(text); at != nil {
		if code, err := strconv.Atoi(text[at[2]:at[3]]); err == nil && code > 0 {
			return &Error{Code: code, Text: text[at[0]:]}
		}
	}
	return NewError(codeUnknown, "STD_EXCEPTION", "%s", text)
}
