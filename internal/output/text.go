// Package output renders what attackers wrote so that it can do no harm where
// it is read: in a terminal, a spreadsheet, a JSON reader, a chat. Every string
// of an event may hold any byte; nothing of an event is printed around this
// package.
package output

import (
	"math"
	"strconv"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

const (
	ellipsis  = "…"
	unlimited = math.MaxInt

	// maxMarks is how many combining marks one character may carry: the scripts
	// of living languages need no more, and each is bytes without width.
	maxMarks = 4
)

// Text returns s as one line of at most max columns of a terminal, ending in …
// where it was cut. What could act or hide is spelled out as Go spells it:
// control characters and escapes (\x1b, \n), bidirectional controls (\u202e),
// zero-width and other invisible characters (\u200b), invalid UTF-8 (\xff) and
// the backslash (\\), so that what is spelled out is told from what was
// written.
func Text(s string, max int) string {
	if isPlain(s) && len(s) <= max {
		return s
	}
	dst, _ := appendText(nil, s, max)
	return string(dst)
}

// isPlain reports whether s is printable ASCII without a backslash.
func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' || s[i] == '\\' {
			return false
		}
	}
	return true
}

// appendText appends s as Text renders it and returns how many columns it takes.
func appendText(dst []byte, s string, max int) (out []byte, columns int) {
	if max < 1 {
		return dst, 0
	}
	start := len(dst)
	fit, fitColumns := start, 0 // the longest prefix that leaves room for an ellipsis
	marks := maxMarks           // none has a character to stand on yet
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		before := len(dst)
		switch {
		case isMark(r) && marks < maxMarks:
			marks++
			dst = append(dst, s[:size]...)
		case r == utf8.RuneError && size == 1:
			marks = maxMarks
			dst = append(dst, `\x`...)
			dst = appendHex(dst, rune(s[0]), 2)
			columns += len(dst) - before
		case isVisible(r) && !isMark(r) && r != '\\':
			marks = 0
			dst = append(dst, s[:size]...)
			columns += runeWidth(r)
		default:
			marks = maxMarks
			dst = appendEscape(dst, r)
			columns += len(dst) - before
		}
		if columns > max {
			return append(dst[:fit], ellipsis...), fitColumns + 1
		}
		if columns < max {
			fit, fitColumns = len(dst), columns
		}
		s = s[size:]
	}
	return dst, columns
}

// isVisible reports whether r shows itself, and only itself, where it is
// printed.
func isVisible(r rune) bool {
	if r < utf8.RuneSelf {
		return ' ' <= r && r <= '~'
	}
	const brailleBlank = '\u2800'
	return unicode.IsPrint(r) && r != brailleBlank && !unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r)
}

// isMark reports whether r is a visible mark that joins the character before it.
func isMark(r rune) bool {
	return r >= 0x300 && unicode.In(r, unicode.Mn, unicode.Me) && isVisible(r)
}

// runeWidth returns how many columns a visible character takes.
func runeWidth(r rune) int {
	if r < utf8.RuneSelf {
		return 1
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	default:
		return 1
	}
}

// appendEscape appends r as a Go string literal spells it.
func appendEscape(dst []byte, r rune) []byte {
	switch {
	case r == '\\' || r < ' ':
		quoted := strconv.AppendQuoteRune(nil, r)
		return append(dst, quoted[1:len(quoted)-1]...)
	case r < utf8.RuneSelf:
		return appendHex(append(dst, `\x`...), r, 2)
	case r < 0x10000:
		return appendHex(append(dst, `\u`...), r, 4)
	default:
		return appendHex(append(dst, `\U`...), r, 8)
	}
}

// appendHex appends the low digits of r, most significant first.
func appendHex(dst []byte, r rune, digits int) []byte {
	for shift := 4 * (digits - 1); shift >= 0; shift -= 4 {
		dst = append(dst, "0123456789abcdef"[r>>shift&0xf])
	}
	return dst
}
