package audit

import (
	"bytes"
	"strings"
)

// mayHoldKind reports whether a text may hold an object of a target's kind, as
// JSON or as text in a string. It is quick and errs towards true.
func mayHoldKind[T string | []byte](in T) bool {
	text := []byte(in)
	if bytes.Contains(text, []byte("TokenRe")) {
		return true
	}
	for rest := text; ; {
		i := bytes.Index(rest, []byte("Secret"))
		if i < 0 {
			break
		}
		rest = rest[i+len("Secret"):]
		if len(rest) == 0 || !isLetter(rest[0]) || bytes.HasPrefix(rest, []byte("List")) {
			return true
		}
	}
	return escapesLetters(text)
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// escapesLetters reports whether letters may be escaped, as no API server
// writes them.
func escapesLetters(text []byte) bool {
	for _, escape := range [...]string{`\u004`, `\u005`, `\u006`, `\u007`} {
		if bytes.Contains(text, []byte(escape)) {
			return true
		}
	}
	return false
}

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
