package audit

import (
	"encoding/base64"
	"strings"
)

// scope is where in a body a value stands; it says what of it is secret.
type scope uint8

const (
	outside   scope = iota // nothing
	inSecrets              // what is named data or stringData, and last-applied-configuration
	inSecret               // everything that is not known to be harmless in a Secret
	inTokens               // what is named token
	inEncoded              // everything; strings are base64
	inPlain                // everything
)

const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// everything reports whether every value in the scope is secret.
func (s scope) everything() bool { return s == inEncoded || s == inPlain }

// member returns the scope of a member's value.
func (s scope) member(key string) scope {
	name := strings.ToLower(key)
	switch s {
	case inSecrets, inSecret:
		switch name {
		case "data":
			return inEncoded
		case "stringdata", lastApplied:
			return inPlain
		}
	case inTokens:
		if name == "token" {
			return inPlain
		}
	}
	if s != inSecret {
		return s
	}
	switch name {
	case "kind", "apiversion", "metadata", "type", "immutable", "$patch":
		return inSecrets
	}
	return inPlain
}

// redaction copies a text and replaces the secret values in it.
type redaction struct {
	text
	*Redactor
	out  []byte
	done int           // in[:done] is in out
	kind map[int]scope // by position, of the objects whose kind is a target
}

// body reads a value that is a whole body.
func (x *redaction) body(within scope) {
	c := x.peek()
	x.kind = x.kinds()
	if own, known := x.kind[x.pos]; known {
		within = own
	}
	switch {
	case within == inSecrets && c == '{' && x.isSecretItself():
		x.object(inSecret)
	case within != outside && c == '[': // a JSON patch
		for ok := x.enterList(); ok; ok = x.nextElement() {
			x.operation()
		}
	case within != outside && c != '{': // no form that is known
		x.value(inPlain)
	default:
		x.value(within)
	}
}

// value reads a value within a body.
func (x *redaction) value(within scope) {
	c := x.peek()
	start := x.pos
	switch {
	case c == '{':
		if own, known := x.kind[x.pos]; known && (within == outside || within == inSecrets) {
			within = own
		}
		x.object(within)
	case c == '[':
		for ok := x.enterList(); ok; ok = x.nextElement() {
			x.value(within)
		}
	case !within.everything(), c == 't', c == 'f', c == 'n':
		x.skip()
	case c == '"':
		x.replace(start, x.string(), within)
	default:
		x.replace(start, string(x.raw()), inPlain)
	}
}

// webhookPatch begins the names of the annotations that hold what admission
// webhooks changed (k8s.io/apiserver/pkg/admission/plugin/webhook/mutating).
const webhookPatch = "patch.webhook.admission.k8s.io/"

// annotations reads those of an event about a target.
func (x *redaction) annotations() {
	for key, ok := x.enter(); ok; key, ok = x.next() {
		if strings.HasPrefix(key, webhookPatch) {
			x.value(inPlain)
			continue
		}
		x.skip()
	}
}

func (x *redaction) object(within scope) {
	for key, ok := x.enter(); ok; key, ok = x.next() {
		x.value(within.member(key))
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
	x.out = append(append(x.out, x.in[x.done:start]...), '"')
	x.out = append(x.appendMarker(x.out, secret), '"')
	x.done = x.pos
}

// operation reads one operation of a JSON patch (RFC 6902). Its path says what
// its value is; it may come before or behind it.
func (x *redaction) operation() {
	if x.peek() != '{' {
		x.value(inPlain)
		return
	}
	within := inPlain
	ahead := x.text
	for key, ok := ahead.enter(); ok; key, ok = ahead.next() {
		if key == "path" && ahead.peek() == '"' {
			within = ofPath(ahead.string())
			continue
		}
		ahead.skip()
	}
	for key, ok := x.enter(); ok; key, ok = x.next() {
		switch c := x.peek(); {
		case key == "value" && (c == '{' || within != inSecret):
			x.value(within)
		case c == '"' && (key == "op" || key == "path" || key == "from"):
			x.skip()
		default:
			x.value(inPlain)
		}
	}
}

// ofPath returns the scope of the value that a patch puts at a path of a Secret
// (a JSON pointer).
func ofPath(path string) scope {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch {
	case path == "":
		return inSecret
	case strings.EqualFold(first, "data"):
		return inEncoded
	default:
		return inPlain
	}
}

// isSecretItself reports whether the object at pos is a Secret, or part of one
// that a patch sends: not a list, a table or a status.
func (x *redaction) isSecretItself() bool {
	kind := "Secret"
	ahead := x.text
	for key, ok := ahead.enter(); ok; key, ok = ahead.next() {
		if key == "kind" && ahead.peek() == '"' {
			kind = ahead.string()
			continue
		}
		ahead.skip()
	}
	return kind == "Secret" || kind == ""
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
