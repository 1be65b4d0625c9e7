package audit

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"

	"github.com/go-json-experiment/json/jsontext"
)

// MaxDepth is how deep the objects and lists of one event may nest, the event
// itself being the first: the limit of the API server's own reader. Its bodies
// count by themselves, as they did when the API server took them: whoever sends
// one as deep as that must not keep its event from being read.
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
	if t.at(c) || t.peek() == c {
		t.pos++
		return
	}
	t.fail()
}

// at reports whether the next byte is c.
func (t *text) at(c byte) bool { return t.pos < len(t.in) && t.in[t.pos] == c }

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
	if t.odd || !t.at(',') && t.closed('}') {
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

// rawBody is raw for a body, which may nest as deep as an event.
func (t *text) rawBody() []byte {
	depth := t.depth
	t.depth = 0
	raw := t.raw()
	t.depth = depth
	return raw
}

// skip reads one value of any kind.
func (t *text) skip() {
	if t.odd {
		return
	}
	if end := skipValue(t.in, t.pos, t.depth); end >= 0 {
		t.pos = end
	} else {
		t.fail()
	}
}

// string reads a string: a view into the buffer if it holds neither escapes
// nor invalid UTF-8, else a copy with U+FFFD for what does not decode, as the
// API server reads it.
func (t *text) string() string {
	if t.take('"'); t.odd {
		return ""
	}
	start := t.pos
	end, plain := closingQuote(t.in, start)
	if end < 0 {
		t.fail()
		return ""
	}
	t.pos = end + 1
	if body := t.in[start:end]; plain || isPlain(body) {
		return unsafe.String(unsafe.SliceData(body), len(body))
	}
	return unquote(t.in[start-1 : end+1])
}

func isPlain(body []byte) bool {
	return bytes.IndexByte(body, '\\') < 0 && utf8.Valid(body)
}

// unquote decodes a string with its quotes, known to be well-formed.
func unquote(quoted []byte) string {
	decoded, ok := unquoteUnicode(make([]byte, 0, len(quoted)), quoted[1:len(quoted)-1])
	if !ok {
		// Its error can only tell of text that is no Unicode: that became U+FFFD.
		decoded, _ = jsontext.AppendUnquote(decoded[:0], quoted)
	}
	return unsafe.String(unsafe.SliceData(decoded), len(decoded))
}

// unquoteUnicode appends the decoded text of a string that is Unicode without
// surrogates; else it returns false.
func unquoteUnicode(dst, s []byte) ([]byte, bool) {
	if !utf8.Valid(s) {
		return dst, false
	}
	for {
		if len(s) == 0 || s[0] != '\\' { // escapes often follow one another
			i := bytes.IndexByte(s, '\\')
			if i < 0 {
				return append(dst, s...), true
			}
			dst = append(dst, s[:i]...)
			s = s[i:]
		}
		c := s[1]
		s = s[2:]
		switch c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'u':
			r := rune(hexDigit(s[0]))<<12 | rune(hexDigit(s[1]))<<8 | rune(hexDigit(s[2]))<<4 | rune(hexDigit(s[3]))
			if utf16.IsSurrogate(r) {
				return dst, false
			}
			dst = utf8.AppendRune(dst, r)
			s = s[4:]
			continue
		}
		dst = append(dst, c)
	}
}

func hexDigit(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return (c | 0x20) - 'a' + 10
}
