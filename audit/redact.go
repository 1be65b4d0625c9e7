package audit

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
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
	signs   [][]byte // one of them is in every item that holds an object of a target's kind
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
// bytes. One installation has one key.
func NewRedactor(key []byte) (*Redactor, error) {
	if len(key) < MinKeyBytes {
		return nil, fmt.Errorf("the redaction key has %d bytes, at least %d are needed", len(key), MinKeyBytes)
	}
	r := &Redactor{
		macKey:  mac(key, []byte("klaxon redaction v1: values")),
		keyID:   hex.EncodeToString(mac(key, []byte("klaxon redaction v1: id of the key")))[:keyIDDigits],
		targets: builtinTargets(),
		// Letters of a kind may be escaped, as no API server writes them.
		signs: [][]byte{[]byte(`\u004`), []byte(`\u005`), []byte(`\u006`), []byte(`\u007`)},
	}
	for i := range r.targets {
		r.signs = append(r.signs, []byte(r.targets[i].kind+`"`))
	}
	return r, nil
}

// KeyID names the key; the key cannot be found from it.
func (r *Redactor) KeyID() string { return r.keyID }

func mac(key, message []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(message)
	return h.Sum(nil)
}

// appendMarker appends what stands for value.
func (r *Redactor) appendMarker(dst, value []byte) []byte {
	dst = append(append(append(dst, markerPrefix...), r.keyID...), ':')
	return hex.AppendEncode(dst, mac(r.macKey, value)[:hashDigits/2])
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

// target is what holds secret values: the bodies about a resource, and objects
// of a kind wherever they stand.
type target struct {
	group, resource string
	subresource     string // "*": every one and none
	kind            string
	within          scope
}

// builtinTargets are the Secret (bootstrap tokens and tokens of service accounts
// among them), the token that a TokenRequest issues and the one that a
// TokenReview carries. Certificate requests are public.
func builtinTargets() []target {
	return []target{
		{group: "", resource: "secrets", subresource: "*", kind: "Secret", within: inSecrets},
		{group: "", resource: "secrets", subresource: "*", kind: "SecretList", within: inSecrets},
		{group: "", resource: "serviceaccounts", subresource: "token", kind: "TokenRequest", within: inTokens},
		{group: "authentication.k8s.io", resource: "tokenreviews", subresource: "*", kind: "TokenReview", within: inTokens},
	}
}

// of returns the scope that the bodies of an event are read in.
func (r *Redactor) of(ref *ObjectRef) scope {
	for i := range r.targets {
		t := &r.targets[i]
		if t.group == ref.APIGroup && t.resource == ref.Resource && (t.subresource == "*" || t.subresource == ref.Subresource) {
			return t.within
		}
	}
	return outside
}

// ofKind returns the scope that an object of a kind is read in.
func (r *Redactor) ofKind(kind string) scope {
	for i := range r.targets {
		if r.targets[i].kind == kind {
			return r.targets[i].within
		}
	}
	return outside
}

// mayHold reports whether item may hold an object of a target's kind.
func (r *Redactor) mayHold(item []byte) bool {
	for _, sign := range r.signs {
		if bytes.Contains(item, sign) {
			return true
		}
	}
	return false
}

var errNotRedactable = errors.New("the event cannot be read for its secrets")

// Redact returns the event's JSON without secret values, and makes e the event
// that this is the JSON of. It returns item itself where there is nothing to
// redact. All but the values is as it was; redacting twice is as good as once.
//
// Secret are, by the resource or by the kind of an object in a body: of Secrets
// everything in data and stringData, values of patches, the annotation
// last-applied-configuration; of TokenRequests and TokenReviews the token; of all
// of them the patches of admission webhooks, which the event is annotated with. An
// error means that nothing of the item may be kept in the clear.
func (r *Redactor) Redact(item []byte, e *Event) ([]byte, error) {
	within := r.of(&e.ObjectRef)
	if within == outside && !r.mayHold(item) {
		return item, nil
	}
	x := redaction{text: text{in: item}, Redactor: r}
	for key, ok := x.enter(); ok; key, ok = x.next() {
		switch {
		case strings.EqualFold(key, "requestObject"), strings.EqualFold(key, "responseObject"):
			x.body(within)
		case strings.EqualFold(key, "annotations") && within != outside && x.peek() == '{':
			x.annotations()
		case slices.Contains(eventMembers, key):
			x.skip()
		default:
			x.body(outside)
		}
	}
	if x.end(); x.odd {
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
