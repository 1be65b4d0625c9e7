package audit

import (
	"encoding/binary"
	"math/bits"
)

// The functions below find where a JSON value ends, strictly as RFC 8259
// writes it: they return the index behind what begins at in[i], -1 if it is not
// well-formed or nests deeper than MaxDepth. They say the same as the API
// server's reader.

// skipValue passes over a value of any kind that lies in depth others.
func skipValue(in []byte, i, depth int) int {
	i = skipSpace(in, i)
	if i >= len(in) {
		return -1
	}
	switch in[i] {
	case '"':
		end, _ := closingQuote(in, i+1)
		if end < 0 {
			return -1
		}
		return end + 1
	case '{':
		return skipObject(in, i+1, depth+1)
	case '[':
		return skipList(in, i+1, depth+1)
	case 't':
		return skipWord(in, i, "true")
	case 'f':
		return skipWord(in, i, "false")
	case 'n':
		return skipWord(in, i, "null")
	default:
		return skipNumber(in, i)
	}
}

func skipSpace(in []byte, i int) int {
	for i < len(in) && (in[i] == ' ' || in[i] == '\n' || in[i] == '\t' || in[i] == '\r') {
		i++
	}
	return i
}

// skipObject passes over the rest of an object behind its brace.
func skipObject(in []byte, i, depth int) int {
	i = skipSpace(in, i)
	if depth > MaxDepth || i >= len(in) {
		return -1
	}
	if in[i] == '}' {
		return i + 1
	}
	for {
		if i >= len(in) || in[i] != '"' {
			return -1
		}
		end, _ := closingQuote(in, i+1)
		if end < 0 {
			return -1
		}
		i = skipSpace(in, end+1)
		if i >= len(in) || in[i] != ':' {
			return -1
		}
		if i = skipValue(in, i+1, depth); i < 0 {
			return -1
		}
		i = skipSpace(in, i)
		switch {
		case i >= len(in):
			return -1
		case in[i] == '}':
			return i + 1
		case in[i] != ',':
			return -1
		}
		i = skipSpace(in, i+1)
	}
}

// skipList passes over the rest of a list behind its bracket.
func skipList(in []byte, i, depth int) int {
	i = skipSpace(in, i)
	if depth > MaxDepth || i >= len(in) {
		return -1
	}
	if in[i] == ']' {
		return i + 1
	}
	for {
		if i = skipValue(in, i, depth); i < 0 {
			return -1
		}
		i = skipSpace(in, i)
		switch {
		case i >= len(in):
			return -1
		case in[i] == ']':
			return i + 1
		case in[i] != ',':
			return -1
		}
		i++
	}
}

func skipWord(in []byte, i int, word string) int {
	if len(in)-i < len(word) || string(in[i:i+len(word)]) != word {
		return -1
	}
	return i + len(word)
}

func skipNumber(in []byte, i int) int {
	if i < len(in) && in[i] == '-' {
		i++
	}
	if i < len(in) && in[i] == '0' {
		i++
	} else if i = skipDigits(in, i); i < 0 {
		return -1
	}
	if i < len(in) && in[i] == '.' {
		if i = skipDigits(in, i+1); i < 0 {
			return -1
		}
	}
	if i < len(in) && in[i]|0x20 == 'e' {
		if i++; i < len(in) && (in[i] == '+' || in[i] == '-') {
			i++
		}
		return skipDigits(in, i)
	}
	return i
}

// skipDigits passes over one or more digits.
func skipDigits(in []byte, i int) int {
	start := i
	for i < len(in) && isDigit(in[i]) {
		i++
	}
	if i == start {
		return -1
	}
	return i
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// closingQuote returns the index of the quote that closes the string whose text
// begins at in[i], -1 if there is none or the text is not well-formed, and
// whether the text is ASCII without escapes.
//
// It looks at eight bytes at once: the first byte of w that is zero is the first
// whose high bit is set in (w-ones)&^w&highs.
func closingQuote(in []byte, i int) (end int, plain bool) {
	var notPlain uint64
	for {
		for i+8 <= len(in) {
			w := binary.LittleEndian.Uint64(in[i:])
			quote, slash := w^(ones*'"'), w^(ones*'\\')
			found := ((quote-ones)&^quote | (slash-ones)&^slash | (w-ones*' ')&^w) & highs
			if found == 0 {
				notPlain |= w & highs
				i += 8
				continue
			}
			n := bits.TrailingZeros64(found) &^ 7
			notPlain |= w & highs & (1<<n - 1)
			i += n / 8
			break
		}
		for ; i < len(in) && in[i] != '"' && in[i] != '\\' && in[i] >= ' '; i++ {
			notPlain |= uint64(in[i] & 0x80)
		}
		switch {
		case i >= len(in) || in[i] < ' ':
			return -1, false
		case in[i] == '"':
			return i, notPlain == 0
		}
		n := escapeLen(in[i:])
		if n == 0 {
			return -1, false
		}
		notPlain = 1
		i += n
	}
}

// escapeLen returns the length of the escape sequence that s begins with, 0 if
// it is none.
func escapeLen(s []byte) int {
	if len(s) < 2 {
		return 0
	}
	switch s[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(s) >= 6 && isHex(s[2]) && isHex(s[3]) && isHex(s[4]) && isHex(s[5]) {
			return 6
		}
	}
	return 0
}

func isHex(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }
