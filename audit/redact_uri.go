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
	clean, ok := x.cleanURI(uri)
	switch {
	case !ok:
		x.grown = true
		x.fail()
	case clean != uri:
		x.put(start, clean)
	}
}

// mayHoldToken reports whether cleanURI may change something.
func mayHoldToken(uri string) bool {
	if strings.Contains(uri, "eyJ") || namesBearer(uri) {
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

// namesBearer reports whether a URI holds the word, in whatever case.
func namesBearer(uri string) bool {
	for rest := uri; ; {
		i := strings.IndexAny(rest, "bB")
		if i < 0 || len(rest)-i < len("bearer") {
			return false
		}
		if strings.EqualFold(rest[i:i+len("bearer")], "bearer") {
			return true
		}
		rest = rest[i+1:]
	}
}

// Tokens in the clear: a JWT (RFC 7519) wherever it stands, and what follows
// the word Bearer, as in the commands that requests for exec carry.
var (
	jwt    = regexp.MustCompile(`eyJ[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]*){2,4}`)
	bearer = regexp.MustCompile(`(?i)(bearer(?:%20|\+| )+)((?:[A-Za-z0-9._~/=:-]|%2[BbFf]|%3[Dd])+)`)
)

// maxTokens bounds how many tokens of a URI are replaced one by one. Anybody can
// write 200,000 into the URI of a request: hashing them would take a second, and
// the event would grow tenfold.
const maxTokens = 1000

// cleanURI replaces the tokens in a URI: values of parameters with the name of
// one, and what looks like one. The rest of a command stays: rules read it. It
// reports false where there are more than maxTokens.
func (r *Redactor) cleanURI(uri string) (clean string, ok bool) {
	c := uriCleaner{Redactor: r, left: maxTokens}
	if path, query, found := strings.Cut(uri, "?"); found {
		uri = path + "?" + c.query(query)
	}
	uri = c.matches(bearer, 2, uri)
	uri = c.matches(jwt, 0, uri)
	return uri, c.left >= 0
}

// safePrefix returns how many of the first n bytes of a URI end between tokens: none
// is cut there into a part that does not look like one.
func safePrefix(uri string, n int) int {
	return strings.LastIndexAny(uri[:min(n, len(uri))], "/?&") + 1
}

// uriCleaner replaces the tokens of one URI.
type uriCleaner struct {
	*Redactor
	left int // tokens that may still be replaced; -1: there were too many
}

func (c *uriCleaner) query(query string) string {
	pairs := strings.Split(query, "&")
	for i, pair := range pairs {
		if name, value, _ := strings.Cut(pair, "="); value != "" && isTokenName(name) {
			if c.left--; c.left < 0 {
				break
			}
			pairs[i] = name + "=" + c.token(value)
		}
	}
	return strings.Join(pairs, "&")
}

// matches replaces what the group of each match of a pattern holds.
func (c *uriCleaner) matches(pattern *regexp.Regexp, group int, uri string) string {
	if c.left < 0 {
		return uri
	}
	found := pattern.FindAllStringSubmatchIndex(uri, c.left+1)
	if c.left -= len(found); c.left < 0 {
		return uri
	}
	var clean strings.Builder
	done := 0
	for _, at := range found {
		start, end := at[2*group], at[2*group+1]
		clean.WriteString(uri[done:start])
		clean.WriteString(c.token(uri[start:end]))
		done = end
	}
	clean.WriteString(uri[done:])
	return clean.String()
}

// token returns what stands for a token that is spelt as in a URI.
func (c *uriCleaner) token(token string) string {
	if len(token) >= markerLen && isMarker(token[:markerLen]) {
		return token
	}
	if plain, err := url.QueryUnescape(token); err == nil {
		token = plain
	}
	return c.marker([]byte(token))
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
