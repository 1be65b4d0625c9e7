package audit

import (
	"regexp"
	"strings"
)

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
	start := x.pos
	s := x.string()
	if x.odd || !mayHoldKind(s) {
		return
	}
	if x.level < maxEmbedded && isJSONText(s) && x.inside(start, s, func(y *redaction) { y.body(outside, resourceRule{}) }) {
		return
	}
	if !p.code && manifest.MatchString(s) || x.level == maxEmbedded {
		x.replace(start, s, inPlain)
	}
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
	if x.signs {
		x.kind = x.kinds()
	}
	if x.peek() != '{' {
		x.value(place{scope: inPlain})
		return
	}
	x.value(place{at: roots})
}

// webhookPatch reads the annotation that holds what an admission webhook
// changed in an object that rules apply to.
func (x *redaction) webhookPatch() {
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
		signs: mayHoldKind(s), level: x.level + 1, growth: x.growth,
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
	s = strings.TrimLeft(s, " \t\r\n")
	return s != "" && strings.IndexByte(`{["`, s[0]) >= 0
}

// manifest matches text that names a target's kind as manifests do: in YAML, in
// JSON that is cut or follows other text, in templates of them, and in programs
// that write them. It begins a line, an escaped one too, or stands in braces, so
// that prose does not match.
var manifest = regexp.MustCompile(`(?m)(?:(?:^|\\[nrt])[ \t>|-]*|[{,]\s*)\\*["']?kind\\*["']?\s*:\s*\\*["']?(?:Secret|SecretList|TokenRequest|TokenReview)\b`)
