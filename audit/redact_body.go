package audit

import (
	"encoding/base64"
	"slices"
	"strings"
)

// redaction copies a text and replaces the secret values in it.
type redaction struct {
	text
	*Redactor
	rule   resourceRule // of the event's resource
	echoes bool         // messages may quote secret values
	signs  bool         // something may be in the text that is secret wherever it stands
	reads  reading      // what is looked for at pos
	room   *int         // bytes that may still be decompressed of the body
	code   bool         // the text is part of what a container runs
	level  int          // in how many strings the text lies
	out    []byte
	done   int           // in[:done] is in out
	growth int           // bytes that out may be longer than what it stands for
	grown  bool          // it would be longer: the text is odd, too
	kind   map[int]scope // by position, of the objects whose kind is a target
	nodes  []*node       // stack of those that places are at
}

// reading says what is looked for in strings that are not secret as such.
type reading uint8

const (
	tokens  reading = iota // tokens
	quotes                 // and parameters of URLs
	texts                  // tokens, and objects as text
	objects                // all of these, encoded text, private keys, and members by their names
)

// place is where a value stands.
type place struct {
	scope scope
	at    []*node // in the paths of rules
	code  bool    // among a container's command or arguments
}

// secret reports whether every value at the place is secret.
func (p *place) secret() bool { return p.scope.everything() }

// isPublic reports whether nothing at the place or below it is secret for where it
// stands.
func (p *place) isPublic() bool { return p.scope == outside && len(p.at) == 0 }

// unknown returns the place of what nobody knows that stands where p is.
func (p *place) unknown() place {
	if p.isPublic() {
		return place{}
	}
	return place{scope: inPlain}
}

// body reads a value that is a whole body of an event about what rule is of.
func (x *redaction) body(within scope, rule resourceRule) {
	c := x.peek()
	x.kind = x.kinds()
	if own, known := x.kind[x.pos]; known {
		within = own
	}
	switch {
	case within == outside && !rule.any() && c != '[':
		x.value(place{})
	case c == '[': // a JSON patch
		x.operations(place{scope: within, at: rule.roots})
	case c == '"' && within == outside:
		x.embedded(rule.roots)
	case c != '{': // no form that is known
		x.value(place{scope: inPlain})
	default:
		x.wholeObject(place{scope: within, at: rule.bodies})
	}
}

// wholeObject reads a body by its kind.
func (x *redaction) wholeObject(p place) {
	switch kind := x.ownKind(); {
	case kind == "Table":
		x.table(p)
		return
	case kind == "Status" && x.echoes:
		p.scope = inStatus
	case p.scope == inSecrets && (kind == "" || kind == "Secret"): // or part of one that a patch sends
		p.scope = inSecret
	}
	x.value(p)
}

// value reads a value within a body.
func (x *redaction) value(p place) {
	c := x.peek()
	start := x.pos
	x.settle(&p, c)
	switch {
	case c == '{':
		x.object(p)
	case c == '[':
		mark := len(x.nodes)
		element := place{scope: p.scope, at: x.elements(p.at), code: p.code}
		for ok := x.enterList(); ok; ok = x.nextElement() {
			x.value(element)
		}
		x.nodes = x.nodes[:mark]
	case c == 't', c == 'f', c == 'n':
		x.skip()
	case !p.secret() && c == '"':
		x.stringAt(p)
	case !p.secret():
		x.skip()
	case c == '"':
		x.replace(start, x.string(), p.scope)
	default:
		x.replace(start, string(x.raw()), inPlain)
	}
}

// settle makes p what it is for a value that begins with c.
func (x *redaction) settle(p *place, c byte) {
	if p.scope == inPassword {
		p.scope = inPlain
		if c == '{' || c == '[' {
			p.scope = outside
		}
	}
	if own, known := x.kind[x.pos]; known && (p.scope == outside || p.scope == inSecrets) {
		p.scope = own
	}
	if !p.secret() && (isSecret(p.at) || p.scope == inSecret && c != '{') {
		p.scope = inPlain
	}
}

func (x *redaction) object(p place) {
	if holdsSets(p.at) && x.hasSetMember() {
		start := x.pos
		x.replace(start, string(x.raw()), inPlain)
		return
	}
	for key, ok := x.enter(); ok; key, ok = x.next() {
		mark := len(x.nodes)
		code := x.peek() == '[' && isCode(key)
		x.value(place{scope: x.member(p.scope, key), at: x.members(p.at, key), code: code})
		x.nodes = x.nodes[:mark]
	}
}

// isCode reports whether a list with this name is what a container runs.
func isCode(key string) bool { return key == "command" || key == "args" }

// webhookPatch begins the names of the annotations that hold what admission
// webhooks changed (k8s.io/apiserver/pkg/admission/plugin/webhook/mutating).
const webhookPatch = "patch.webhook.admission.k8s.io/"

// harmlessAnnotations begin the names of what the API server itself annotates
// events with, which quotes no object. Others may: of policies and of webhooks.
var harmlessAnnotations = []string{
	"authorization.k8s.io", "authentication.k8s.io", "apiserver.latency.k8s.io", "audit.k8s.io", "k8s.io",
	"pod-security.kubernetes.io", "mutation.webhook.admission.k8s.io",
	"failed-open.mutating.webhook.admission.k8s.io", "failed-open.validating.webhook.admission.k8s.io",
}

func isHarmlessAnnotation(key string) bool {
	domain, _, _ := strings.Cut(key, "/")
	return slices.Contains(harmlessAnnotations, domain)
}

// annotations reads those of the event.
func (x *redaction) annotations(within scope) {
	for key, ok := x.enter(); ok; key, ok = x.next() {
		switch {
		case within != outside && !isHarmlessAnnotation(key):
			x.value(place{scope: inPlain})
		case !strings.HasPrefix(key, webhookPatch):
			x.words(tokens)
		case x.rule.any() && x.peek() == '"':
			x.webhookPatch()
		default:
			x.reads = texts
			x.value(place{})
		}
	}
}

// replace puts the hash of a value in the place of in[start:pos].
func (x *redaction) replace(start int, value string, within scope) {
	if x.odd || isMarker(value) {
		return
	}
	secret := []byte(value)
	if within == inEncoded {
		if decoded, err := base64.StdEncoding.DecodeString(value); err == nil {
			secret = decoded
		}
	}
	x.put(start, x.marker(secret))
}

// put writes the string s in the place of in[start:pos].
func (x *redaction) put(start int, s string) {
	if x.odd {
		return
	}
	x.out = appendQuoted(append(x.out, x.in[x.done:start]...), s)
	x.done = x.pos
	if len(x.out)-x.done > x.growth {
		x.grown = true
		x.fail()
	}
}
