package audit

import (
	"bytes"
	"strings"
	"unsafe"
)

// mayHoldKind reports whether a text may hold an object of a target's kind, as
// JSON or as text in a string. It is quick and errs towards true.
func mayHoldKind(text []byte) bool { return namesKind(text) || escapes(text) }

// namesKind reports whether the name of a target's kind stands in a text.
func namesKind(text []byte) bool {
	if bytes.Contains(text, []byte("TokenRe")) {
		return true
	}
	for rest := text; ; {
		i := bytes.Index(rest, []byte("Secret"))
		if i < 0 {
			return false
		}
		rest = rest[i+len("Secret"):]
		if len(rest) == 0 || !isLetter(rest[0]) || bytes.HasPrefix(rest, []byte("List")) {
			return true
		}
	}
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// escapes reports whether a text may hold, in JSON or in YAML within it, escapes
// of characters that no API server escapes: names may hide behind them.
func escapes(text []byte) bool {
	for {
		i := bytes.IndexByte(text, '\\')
		if i < 0 {
			return false
		}
		if text = text[i+1:]; isOddEscape(text) {
			return true
		}
	}
}

// isOddEscape reports whether what follows a backslash escapes an ASCII
// character other than those of which API servers write the number: & < >.
func isOddEscape(s []byte) bool {
	zeros := 0
	switch {
	case len(s) == 0:
		return false
	case s[0] == '/':
		return true
	case s[0] == 'u':
		zeros = 2
	case s[0] == 'U':
		zeros = 6
	case s[0] != 'x':
		return false
	}
	if len(s) < zeros+3 || strings.Trim(string(s[1:zeros+1]), "0") != "" {
		return false
	}
	switch high, low := s[zeros+1], s[zeros+2]|0x20; high {
	case '2':
		return low != '6'
	case '3':
		return low != 'c' && low != 'e'
	default:
		return '4' <= high && high <= '7'
	}
}

// view returns the bytes of a string, which must not be changed.
func view(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// ownKind returns the kind of the object at pos, "" where it has none.
func (x *redaction) ownKind() (kind string) {
	ahead := x.text
	for key, ok := ahead.enter(); ok; key, ok = ahead.next() {
		if key == "kind" && ahead.peek() == '"' {
			kind = ahead.string()
			continue
		}
		ahead.skip()
	}
	return kind
}

// kinds returns the positions of the objects in the value at pos whose kind is
// a target, each with its scope.
func (x *redaction) kinds() map[int]scope {
	if !x.signs || !mayHoldKind(x.in[x.pos:]) {
		return nil
	}
	found := map[int]scope{}
	ahead := x.text
	x.findKinds(&ahead, found)
	return found
}

func (x *redaction) findKinds(ahead *text, found map[int]scope) {
	switch ahead.peek() {
	case '{':
		start := ahead.pos
		for key, ok := ahead.enter(); ok; key, ok = ahead.next() {
			if strings.EqualFold(key, "kind") && ahead.peek() == '"' {
				if own := x.ofKind(ahead.string()); own != outside {
					found[start] = own
				}
				continue
			}
			x.findKinds(ahead, found)
		}
	case '[':
		for ok := ahead.enterList(); ok; ok = ahead.nextElement() {
			x.findKinds(ahead, found)
		}
	default:
		ahead.skip()
	}
}
