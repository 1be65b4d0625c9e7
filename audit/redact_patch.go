package audit

import "strings"

// operations reads a JSON patch (RFC 6902) of an object that stands at p.
func (x *redaction) operations(p place) {
	for ok := x.enterList(); ok; ok = x.nextElement() {
		if x.peek() != '{' {
			x.value(p.unknown())
			continue
		}
		x.operation(p)
	}
}

// operation reads one operation. Its path says what its value is; it may come
// before or behind it.
func (x *redaction) operation(p place) {
	_, isObject := x.kind[x.pos]
	mark := len(x.nodes)
	target, ok := x.operationTarget(p)
	if p.isPublic() && (!ok || isObject) {
		x.value(place{})
		return
	}
	for key, ok := x.enter(); ok; key, ok = x.next() {
		switch c := x.peek(); {
		case key == "value":
			x.value(target)
		case c == '"' && (key == "op" || key == "path" || key == "from"):
			x.skip()
		default:
			x.value(p.unknown())
		}
	}
	x.nodes = x.nodes[:mark]
}

// operationTarget returns where the operation at pos puts its value. What does
// not say so in the one form that API servers read is taken for a secret.
func (x *redaction) operationTarget(p place) (target place, ok bool) {
	paths := 0
	pointer := ""
	ahead := x.text
	for key, ok := ahead.enter(); ok; key, ok = ahead.next() {
		if key == "path" && ahead.peek() == '"' {
			pointer = ahead.string()
			paths++
			continue
		}
		ahead.skip()
	}
	if paths != 1 || pointer != "" && pointer[0] != '/' {
		return place{scope: inPlain}, false
	}
	if p.scope == inSecrets {
		p.scope = inSecret
	}
	for pointer != "" {
		var token string
		token, pointer = cutPointer(pointer)
		x.settle(&p, '{')
		if !p.secret() {
			p = place{scope: x.member(p.scope, token), at: x.tokens(p.at, token), code: p.code || isCode(token)}
		}
	}
	return p, true
}

// cutPointer returns the first token of a JSON pointer (RFC 6901), which begins
// with a slash, and what follows it.
func cutPointer(pointer string) (token, rest string) {
	token = pointer[1:]
	if i := strings.IndexByte(token, '/'); i >= 0 {
		token, rest = token[:i], token[i:]
	}
	token = strings.ReplaceAll(token, "~1", "/")
	return strings.ReplaceAll(token, "~0", "~"), rest
}
