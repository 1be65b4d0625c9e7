package audit

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// requestURI reads that member of the event.
func (x *redaction) requestURI() {
	start := x.pos
	uri := x.string()
	if x.odd || !mayHoldToken(uri) {
		return
	}
	if clean := x.cleanURI(uri); clean != uri {
		x.put(start, clean)
	}
}

// mayHoldToken reports whether cleanURI may change something.
func mayHoldToken(uri string) bool {
	if strings.Contains(uri, "eyJ") || strings.Contains(uri, "earer") || strings.Contains(uri, "EARER") {
		return true
	}
	_, query, found := strings.Cut(uri, "?")
	for found {
		var pair string
		pair, query, found = strings.Cut(query, "&")
		if name, value, _ := strings.Cut(pair, "="); value != "" && isTokenName(name) {
			return true
		}
	}
	return false
}

// Tokens in the clear: a JWT (RFC 7519) wherever it stands, and what follows
// the word Bearer, as in the commands that requests for exec carry.
var (
	jwt    = regexp.MustCompile(`eyJ[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]*){2,4}`)
	bearer = regexp.MustCompile(`(?i)(bearer(?:%20|\+| )+)((?:[A-Za-z0-9._~/=:-]|%2[BbFf]|%3[Dd])+)`)
)

// cleanURI replaces the tokens in a URI: values of parameters with the name of
// one, and what looks like one. The rest of a command stays: rules read it.
func (r *Redactor) cleanURI(uri string) string {
	if path, query, found := strings.Cut(uri, "?"); found {
		uri = path + "?" + r.cleanQuery(query)
	}
	uri = bearer.ReplaceAllStringFunc(uri, func(m string) string {
		parts := bearer.FindStringSubmatch(m)
		return parts[1] + r.cleanToken(parts[2])
	})
	return jwt.ReplaceAllStringFunc(uri, r.cleanToken)
}

func (r *Redactor) cleanQuery(query string) string {
	pairs := strings.Split(query, "&")
	for i, pair := range pairs {
		if name, value, _ := strings.Cut(pair, "="); value != "" && isTokenName(name) {
			pairs[i] = name + "=" + r.cleanToken(value)
		}
	}
	return strings.Join(pairs, "&")
}

// cleanToken returns what stands for a token that is spelt as in a URI.
func (r *Redactor) cleanToken(token string) string {
	if len(token) >= markerLen && isMarker(token[:markerLen]) {
		return token
	}
	if plain, err := url.QueryUnescape(token); err == nil {
		token = plain
	}
	return r.marker([]byte(token))
}

// tokenNames end the names of parameters that hold tokens and passwords.
var tokenNames = []string{"token", "password", "passwd", "secret", "authorization", "apikey", "api_key", "api-key", "signature"}

// isTokenName reports whether a parameter with this name holds a secret.
func isTokenName(name string) bool {
	if strings.ContainsAny(name, "%+") {
		if plain, err := url.QueryUnescape(name); err == nil {
			name = plain
		}
	}
	return slices.ContainsFunc(tokenNames, func(end string) bool {
		return len(name) >= len(end) && strings.EqualFold(name[len(name)-len(end):], end)
	})
}
