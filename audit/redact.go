package audit

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Redactor replaces secret values by keyed hashes, so that they are never
// written anywhere while it still shows which of them are equal:
//
//	klaxon:redacted:v1:<16 hex digits: the key's id>:<32 hex digits: hash>
//
// The hash is the first half of the HMAC-SHA256 of the value's bytes, so the
// data and the stringData of one value have the same. It is safe for
// concurrent use.
type Redactor struct {
	macKey  []byte
	keyID   string
	targets []target
	rules   redactRules
}

// MinKeyBytes is the least length of a redaction key.
const MinKeyBytes = 32

// markerPrefix begins what stands for a redacted value.
const markerPrefix = "klaxon:redacted:v1:"

const (
	keyIDDigits = 16
	hashDigits  = 32
	markerLen   = len(markerPrefix) + keyIDDigits + 1 + hashDigits
)

// NewRedactor returns a redactor with a key of at least MinKeyBytes random
// bytes. One installation has one key. The rules say what is secret besides
// what always is; an error lists every mistake in them.
func NewRedactor(key []byte, rules ...RedactRule) (*Redactor, error) {
	if len(key) < MinKeyBytes {
		return nil, fmt.Errorf("the redaction key has %d bytes, at least %d are needed", len(key), MinKeyBytes)
	}
	compiled, err := compileRules(rules)
	if err != nil {
		return nil, err
	}
	return &Redactor{
		macKey:  mac(key, []byte("klaxon redaction v1: values")),
		keyID:   hex.EncodeToString(mac(key, []byte("klaxon redaction v1: id of the key")))[:keyIDDigits],
		targets: builtinTargets(),
		rules:   compiled,
	}, nil
}

// KeyID names the key; the key cannot be found from it.
func (r *Redactor) KeyID() string { return r.keyID }

func mac(key, message []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(message)
	return h.Sum(nil)
}

// marker returns what stands for value.
func (r *Redactor) marker(value []byte) string {
	return markerPrefix + r.keyID + ":" + hex.EncodeToString(mac(r.macKey, value)[:hashDigits/2])
}

// isMarker reports whether s stands for a value that was redacted already, with
// whatever key.
func isMarker(s string) bool {
	if len(s) != markerLen || !strings.HasPrefix(s, markerPrefix) {
		return false
	}
	id, hash := s[len(markerPrefix):][:keyIDDigits], s[markerLen-hashDigits:]
	return isLowerHex(id) && s[len(markerPrefix)+keyIDDigits] == ':' && isLowerHex(hash)
}

func isLowerHex(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return (r < '0' || r > '9') && (r < 'a' || r > 'f') }) < 0
}

// Redacted reports whether an event's JSON holds values that were redacted.
func Redacted(item []byte) bool {
	for {
		i := bytes.Index(item, []byte(markerPrefix))
		if i < 0 {
			return false
		}
		if len(item) >= i+markerLen && isMarker(string(item[i:i+markerLen])) {
			return true
		}
		item = item[i+1:]
	}
}

var (
	errNotRedactable = errors.New("the event cannot be read for its secrets")
	errOvergrown     = errors.New("the event's secrets are too many to redact them all")
)

// Redact returns the event's JSON without secret values, and makes e the event
// that this is the JSON of. It returns item itself where there is nothing to
// redact. All but the values is as it was; redacting twice is as good as once.
//
// Secret are, by the resource or by the kind of an object in a body:
//
//   - of Secrets everything in data and stringData, values of patches, annotations
//     that may hold a copy;
//   - of TokenRequests and TokenReviews the token;
//   - what the redactor's rules name in the bodies of their resources;
//   - of all of them what an error message may quote, and the patches of
//     admission webhooks, which the event is annotated with.
//
// Objects that stand as text in a string are read too, and so is what such a text
// is encoded in. Whatever the event is about, secret are tokens and passwords that
// tell by themselves what they are (see [Redactor.cleanText] and
// [Redactor.cleanURI]), and in bodies what is named a password and the headers of
// probes. An error means that nothing of the item may be kept in the clear.
func (r *Redactor) Redact(item []byte, e *Event) ([]byte, error) {
	return r.redactWithin(item, e, math.MaxInt)
}

// redactWithin is Redact, but fails with errOvergrown where that would make the
// item longer by more than growth bytes: a marker may be 30 times its value.
func (r *Redactor) redactWithin(item []byte, e *Event, growth int) ([]byte, error) {
	x := redaction{text: text{in: item}, Redactor: r, growth: growth}
	within := r.of(&e.ObjectRef)
	bodies := bodiesOf(item)
	x.signs = mayHold(item, bodies) || mayQuote(e.ResponseStatus.Message)
	x.rule = r.rules.of(&e.ObjectRef)
	x.echoes = (within != outside || x.rule.named) && mayEcho(&e.ResponseStatus)
	if within == outside && !x.signs && !x.echoes && (!x.rule.any() || bodies == nil) && !mayHoldParameter(e.RequestURI) {
		return item, nil
	}
	for key, ok := x.enter(); ok; key, ok = x.next() {
		x.eventMember(key, within)
	}
	if x.end(); x.grown {
		return nil, errOvergrown
	}
	if x.odd {
		return nil, errNotRedactable
	}
	if x.done == 0 {
		return item, nil
	}
	redacted := append(x.out, item[x.done:]...)
	if err := Scan(redacted, e); err != nil {
		return nil, fmt.Errorf("%w: %w", errNotRedactable, err)
	}
	return redacted, nil
}

// eventMember reads the value of a member of the event.
func (x *redaction) eventMember(key string, within scope) {
	c := x.peek()
	switch {
	case key == "requestObject", key == "responseObject":
		x.eventBody(within)
	case strings.EqualFold(key, "requestObject"), strings.EqualFold(key, "responseObject"): // to nobody a body
		x.reads = texts
		x.body(within, resourceRule{})
	case strings.EqualFold(key, "annotations") && c == '{':
		x.annotations(within)
	case strings.EqualFold(key, "responseStatus") && x.echoes:
		x.reads = tokens
		x.value(place{scope: inStatus})
	case strings.EqualFold(key, "requestURI") && c == '"':
		x.requestURI()
	case key == "responseStatus" && c == '{':
		x.status()
	case slices.Contains(eventMembers, key):
		x.words(tokens)
	default:
		x.reads = texts
		x.body(outside, resourceRule{})
	}
}

// eventBody reads one of the event's bodies, which may nest as deep as an event.
func (x *redaction) eventBody(within scope) {
	room := maxUnpacked
	x.reads, x.room = objects, &room
	depth := x.depth
	x.depth = 0
	x.body(within, x.rule)
	x.depth = depth
}

// status reads that of the event: its message may quote a URL.
func (x *redaction) status() {
	for key, ok := x.enter(); ok; key, ok = x.next() {
		if key == "message" {
			x.words(quotes)
		} else {
			x.words(tokens)
		}
	}
}

// words reads a value in which nothing but tokens and the like is secret.
func (x *redaction) words(reads reading) {
	if !x.signs {
		x.skip()
		return
	}
	x.reads = reads
	x.value(place{})
}

// bodiesOf returns the part of an item in which its bodies lie, nil if it has
// none.
func bodiesOf(item []byte) []byte {
	const end = `Object"`
	i := bytes.Index(item, []byte(end))
	if i < 0 {
		return nil
	}
	return item[i+len(end):]
}
