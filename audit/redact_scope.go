package audit

import (
	"bytes"
	"slices"
	"strings"
)

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

// mayHold reports whether something in a text may be secret wherever it stands,
// or in the bodies that begin in the second one. It errs towards true.
func mayHold(text, bodies []byte) bool {
	return mayHoldKind(text) || mayHoldToken(text) || mayHoldMore(bodies)
}

func mayHoldMore(bodies []byte) bool {
	return len(bodies) > 0 && (mayHoldURL(bodies) || mayHoldName(bodies) || mayHoldKey(bodies) || mayHoldEncoded(bodies))
}

// scope is where in a body a value stands; it says what of it is secret.
type scope uint8

const (
	outside       scope = iota // nothing
	inSecrets                  // what is named data or stringData, and annotations that may hold copies
	inSecret                   // everything that is not known to be harmless in a Secret
	inAnnotations              // those of a Secret: all but the known ones
	inTokens                   // what is named token
	inStatus                   // what is named message, and what a Secret or token holds: clients may call theirs so
	inHeaders                  // what is named value: headers of HTTP
	inPassword                 // a value that is no object and no list
	inEncoded                  // everything; strings are base64
	inPlain                    // everything
)

const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// everything reports whether every value in the scope is secret.
func (s scope) everything() bool { return s == inEncoded || s == inPlain }

// member returns the scope of a member's value.
func (s scope) member(key string) scope {
	if s == outside {
		return s
	}
	name := strings.ToLower(key)
	switch s {
	case inSecrets:
		return secretsMember(name, inSecrets)
	case inSecret:
		switch name {
		case "kind", "apiversion", "metadata", "type", "immutable", "$patch", "$retainkeys":
			return inSecrets
		}
		return secretsMember(name, inPlain)
	case inAnnotations:
		return annotationScope(key)
	case inTokens:
		if name == "token" || name == lastApplied {
			return inPlain
		}
	case inHeaders:
		if name == "value" {
			return inPlain
		}
	case inStatus:
		if name == "message" || name == "token" {
			return inPlain
		}
		return secretsMember(name, inStatus)
	}
	return s
}

// member returns the scope of a member's value.
func (x *redaction) member(s scope, key string) scope {
	if s != outside || x.reads != objects {
		return s.member(key)
	}
	switch {
	case key == "httpHeaders":
		return inHeaders
	case isPasswordName(key):
		return inPassword
	}
	return outside
}

// passwordNames end the names of members that hold passwords, of whatever
// object: of volumes, storage classes, custom resources.
var passwordNames = []string{
	"password", "Password", "PASSWORD", "passwd", "Passwd", "PASSWD", "passphrase", "Passphrase", "PASSPHRASE",
}

func isPasswordName(key string) bool {
	if n := len(key); n == 0 || key[n-1]|0x20 != 'd' && key[n-1]|0x20 != 'e' {
		return false
	}
	return slices.ContainsFunc(passwordNames, func(end string) bool { return strings.HasSuffix(key, end) })
}

// mayHoldName reports whether a member in a JSON text may be named for what it
// holds. It errs towards true.
func mayHoldName(text []byte) bool {
	return holdsMember(text, "ass", 'w', "ord", "d") || holdsMember(text, "ASS", 'W', "ORD", "D") ||
		holdsMember(text, "assp", 'h', "rase") || holdsMember(text, "ASSP", 'H', "RASE") || holdsMember(text, "http", 'H', "eaders")
}

// holdsMember reports whether the name of a member ends with before, c and one of
// ends, or a JSON pointer leads to one. The JSON may be text in a string.
func holdsMember(text []byte, before string, c byte, ends ...string) bool {
	for rest := after(text, before, c); rest != nil; rest = after(rest, before, c) {
		for _, end := range ends {
			if behind, ok := bytes.CutPrefix(rest, []byte(end)); ok && endsName(text[:len(text)-len(behind)], behind) {
				return true
			}
		}
	}
	return false
}

// endsName reports whether the name of a member may end between what was read and
// what stands behind it.
func endsName(read, behind []byte) bool {
	next := bytes.TrimLeft(behind, "\\\" \t\r\nnrt")
	if len(next) == 0 || next[0] == ':' || next[0] == '/' {
		return true
	}
	if next = bytes.TrimLeft(behind, `\`); next[0] != '"' {
		return false
	}
	quote := bytes.LastIndexByte(read, '"')
	return quote >= 0 && read[quote+1] == '/'
}

// secretsMember returns the scope of a member of a Secret or of something in it.
func secretsMember(name string, other scope) scope {
	switch name {
	case "data":
		return inEncoded
	case "stringdata", lastApplied:
		return inPlain
	case "annotations":
		return inAnnotations
	}
	return other
}

// harmlessDomains begin the names of annotations that describe a Secret and
// never copy it: what the cluster itself writes and the tools that make most
// Secrets. Other annotations may hold all of a Secret in any form.
var harmlessDomains = []string{"kubernetes.io", "k8s.io", "cert-manager.io", "helm.sh", "meta.helm.sh", "argocd.argoproj.io"}

func annotationScope(key string) scope {
	domain, _, found := strings.Cut(key, "/")
	if found && slices.Contains(harmlessDomains, domain) {
		return inSecrets
	}
	return inPlain
}
