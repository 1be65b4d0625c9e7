package audit

import "strings"

// maxEmbedded is in how many strings within strings objects are looked for:
// each of them doubles the escapes, so that no honest text goes as deep.
const maxEmbedded = 8

// stringAt reads a string that is not secret itself but may hold an object as
// text: one that a rule names, or one of a target's kind.
func (x *redaction) stringAt(p place) {
	if roots := x.texts(p.at); len(roots) > 0 {
		x.embedded(roots)
		return
	}
	if !x.signs {
		x.skip()
		return
	}
	start, code := x.pos, p.code || x.code
	s := x.string()
	if x.odd || x.reads >= texts && x.textAt(start, s, code) {
		return
	}
	x.tokensAt(start, s, code)
}

// textAt reads a string that may be the text of objects, plain or encoded. It
// reports false if it is none: then it changed nothing. What a container runs
// stays but where it is JSON: rules read it.
func (x *redaction) textAt(start int, s string, code bool) bool {
	within := x.level < maxEmbedded && isJSONText(s) && x.mayHold(s)
	if within && x.inside(start, s, func(y *redaction) {
		y.code = code
		y.body(outside, resourceRule{})
	}) {
		return true
	}
	hidden := !code && (namesManifest(view(s)) || x.reads == objects && x.hides(s))
	if hidden || x.level == maxEmbedded && mayHoldKind(view(s)) {
		x.replace(start, s, inPlain)
		return true
	}
	return false
}

// mayHold reports whether something in the text that a string is may be secret
// wherever it stands.
func (x *redaction) mayHold(s string) bool {
	if x.reads == objects {
		return mayHold(view(s), view(s))
	}
	return mayHold(view(s), nil)
}

// embedded reads a string that holds the JSON of an object that rules apply to.
// What is no JSON is replaced as a whole.
func (x *redaction) embedded(roots []*node) {
	start := x.pos
	s := x.string()
	if x.level == maxEmbedded || !x.inside(start, s, func(y *redaction) { y.embeddedBody(roots) }) {
		x.replace(start, s, inPlain)
	}
}

func (x *redaction) embeddedBody(roots []*node) {
	x.kind = x.kinds()
	if x.peek() != '{' {
		x.value(place{scope: inPlain})
		return
	}
	x.value(place{at: roots})
}

// webhookPatch reads the annotation that holds what an admission webhook
// changed in an object that rules apply to.
func (x *redaction) webhookPatch() {
	x.reads = texts
	start := x.pos
	s := x.string()
	known := x.inside(start, s, func(y *redaction) {
		if y.peek() != '{' {
			y.fail()
			return
		}
		for key, ok := y.enter(); ok; key, ok = y.next() {
			if key == "patch" && y.peek() == '[' {
				y.operations(place{at: y.rule.roots})
				continue
			}
			y.skip()
		}
	})
	if !known {
		x.replace(start, s, inPlain)
	}
}

// inside reads the JSON that the string s is, which stands at in[start:pos],
// and writes it back if something in it was replaced. It reports false, and
// changes nothing, if s is no JSON.
func (x *redaction) inside(start int, s string, read func(*redaction)) bool {
	y := redaction{
		text: text{in: []byte(s)}, Redactor: x.Redactor, rule: x.rule,
		signs: x.mayHold(s), reads: x.reads, room: x.room, level: x.level + 1, growth: x.growth,
	}
	read(&y)
	if y.grown {
		x.grown = true
		x.fail()
		return true
	}
	if y.end(); y.odd {
		return false
	}
	if y.done > 0 {
		x.put(start, string(append(y.out, y.in[y.done:]...)))
	}
	return true
}

func isJSONText(s string) bool {
	if s == "" || isLetter(s[0]) || isDigit(s[0]) {
		return false
	}
	s = strings.TrimLeft(s, " \t\r\n")
	return s != "" && strings.IndexByte(`{["`, s[0]) >= 0
}
