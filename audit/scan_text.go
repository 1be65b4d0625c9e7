package audit

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
	"unsafe"

	"github.com/go-json-experiment/json/jsontext"
)

// MaxDepth is how deep the objects and lists of one event may nest, the event
// itself being the first: the limit of the API server's own reader.
const MaxDepth = 10_000

// text reads JSON from one buffer, strictly as RFC 8259 writes it, and keeps
// the first deviation: from then on every call reads nothing. Strings are views
// into the buffer where their text says itself.
type text struct {
	in    []byte
	pos   int
	depth int
	odd   bool // something is not as expected; pos is about there
}

func (t *text) fail() {
	t.odd = true
}

// peek returns the next byte that is not white space, 0 at the end.
func (t *text) peek() byte {
	for ; t.pos < len(t.in); t.pos++ {
		switch c := t.in[t.pos]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

func (t *text) take(c byte) {
	if t.odd || t.peek() != c {
		t.fail()
		return
	}
	t.pos++
}

// end checks that nothing but white space follows.
func (t *text) end() {
	t.peek()
	if t.pos < len(t.in) {
		t.fail()
	}
}

// enter opens an object and returns the key of its first member.
//
//	for key, ok := t.enter(); ok; key, ok = t.next() { read the value }
func (t *text) enter() (key string, ok bool) {
	if t.open('{'); t.odd || t.closed('}') {
		return "", false
	}
	return t.key()
}

// next returns the key of the object's next member.
func (t *text) next() (key string, ok bool) {
	if t.odd || t.closed('}') {
		return "", false
	}
	t.take(',')
	return t.key()
}

func (t *text) key() (string, bool) {
	key := t.string()
	t.take(':')
	return key, !t.odd
}

// enterList opens a list and reports whether it has an element.
//
//	for ok := t.enterList(); ok; ok = t.nextElement() { read the value }
func (t *text) enterList() bool {
	t.open('[')
	return !t.odd && !t.closed(']')
}

// nextElement reports whether the list has one more element.
func (t *text) nextElement() bool {
	if t.odd || t.closed(']') {
		return false
	}
	t.take(',')
	return !t.odd
}

func (t *text) open(bracket byte) {
	t.take(bracket)
	if t.depth++; t.depth > MaxDepth {
		t.fail()
	}
}

func (t *text) closed(bracket byte) bool {
	if t.peek() != bracket {
		return false
	}
	t.pos++
	t.depth--
	return true
}

// raw reads one value of any kind and returns its text.
func (t *text) raw() []byte {
	t.peek()
	start := t.pos
	t.skip()
	if t.odd {
		return nil
	}
	return t.in[start:t.pos:t.pos]
}

// skip reads one value of any kind.
func (t *text) skip() {
	if t.odd {
		return
	}
	switch c := t.peek(); c {
	case '{':
		t.skipObject()
	case '[':
		for ok := t.enterList(); ok; ok = t.nextElement() {
			t.skip()
		}
	case '"':
		t.pos++
		t.skipString()
	case 't':
		t.literal("true")
	case 'f':
		t.literal("false")
	case 'n':
		t.literal("null")
	default:
		t.skipNumber()
	}
}

func (t *text) skipObject() {
	if t.open('{'); t.odd || t.closed('}') {
		return
	}
	for {
		t.take('"')
		t.skipString()
		t.take(':')
		t.skip()
		if t.odd || t.closed('}') {
			return
		}
		t.take(',')
	}
}

func (t *text) literal(word string) {
	if len(t.in)-t.pos < len(word) || string(t.in[t.pos:t.pos+len(word)]) != word {
		t.fail()
		return
	}
	t.pos += len(word)
}

func (t *text) skipNumber() {
	if t.at('-') {
		t.pos++
	}
	if t.at('0') {
		t.pos++
	} else {
		t.skipDigits()
	}
	if t.at('.') {
		t.pos++
		t.skipDigits()
	}
	if t.at('e') || t.at('E') {
		t.pos++
		if t.at('+') || t.at('-') {
			t.pos++
		}
		t.skipDigits()
	}
}

func (t *text) skipDigits() {
	start := t.pos
	for t.pos < len(t.in) && isDigit(t.in[t.pos]) {
		t.pos++
	}
	if t.pos == start {
		t.fail()
	}
}

func (t *text) at(c byte) bool { return t.pos < len(t.in) && t.in[t.pos] == c }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// string reads a string: a view into the buffer if it holds neither escapes
// nor invalid UTF-8, else a copy with U+FFFD for what does not decode, as the
// API server reads it.
func (t *text) string() string {
	if t.take('"'); t.odd {
		return ""
	}
	start := t.pos
	plain := t.skipString()
	if t.odd {
		return ""
	}
	if body := t.in[start : t.pos-1]; plain || isPlain(body) {
		return unsafe.String(unsafe.SliceData(body), len(body))
	}
	return unquote(t.in[start-1 : t.pos])
}

func isPlain(body []byte) bool {
	for _, c := range body {
		if c == '\\' {
			return false
		}
	}
	return utf8.Valid(body)
}

// unquote decodes a string with its quotes, known to be well-formed.
func unquote(quoted []byte) string {
	// Its error can only tell of text that is no Unicode: that became U+FFFD.
	decoded, _ := jsontext.AppendUnquote(nil, quoted)
	return unsafe.String(unsafe.SliceData(decoded), len(decoded))
}

// skipString reads the rest of a string behind its opening quote. It reports
// whether the text is surely ASCII without escapes.
func (t *text) skipString() (plain bool) {
	if t.odd {
		return false
	}
	in, i := t.in, t.pos
	plain = true
	for {
		var high uint64
		i, high = indexSpecial(in, i)
		plain = plain && high == 0
		if i >= len(in) || in[i] < ' ' {
			break
		}
		if in[i] == '"' {
			t.pos = i + 1
			return plain
		}
		plain = false
		n := escapeLen(in[i:])
		if n == 0 {
			break
		}
		i += n
	}
	t.pos = i
	t.fail()
	return false
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// indexSpecial returns the index of the first quote, backslash or control
// character of in[i:], len(in) if there is none, and a word that is not zero if
// a byte before it (or shortly behind) is not ASCII. It looks at eight bytes at
// once: a byte of (w-ones)&^w&highs is set where that of w is zero.
func indexSpecial(in []byte, i int) (int, uint64) {
	var high uint64
	for ; i+8 <= len(in); i += 8 {
		w := binary.LittleEndian.Uint64(in[i:])
		quote, slash := w^(ones*'"'), w^(ones*'\\')
		found := ((quote-ones)&^quote | (slash-ones)&^slash | (w-ones*' ')&^w) & highs
		high |= w & highs
		if found != 0 {
			return i + bits.TrailingZeros64(found)/8, high
		}
	}
	for ; i < len(in); i++ {
		if c := in[i]; c == '"' || c == '\\' || c < ' ' {
			return i, high
		}
		high |= uint64(in[i]) & 0x80
	}
	return i, high
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
