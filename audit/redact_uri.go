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
	if x.odd || !mayHoldParameter(uri) {
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

// mayHoldParameter reports whether cleanURI may change something.
func mayHoldParameter(uri string) bool {
	if strings.Contains(uri, "eyJ") || namesBearer(uri) || mayNest(uri) {
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

// mayNest reports whether a URI may hold one with a password or parameters,
// parameters in its path, or a header in a command.
func mayNest(uri string) bool {
	if strings.IndexByte(uri, '@') >= 0 || strings.IndexByte(uri, ';') >= 0 || strings.IndexByte(uri, ':') >= 0 {
		return true
	}
	for rest := uri; ; {
		i := strings.IndexByte(rest, '%')
		if i < 0 || len(rest)-i < len("%3F") {
			return false
		}
		switch rest = rest[i+1:]; strings.ToUpper(rest[:2]) {
		case "40", "3A", "3B", "3F":
			return true
		}
	}
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

// Tokens in the clear: a JWT (RFC 7519) wherever it stands; what follows the
// word Bearer, or the header Authorization with whatever scheme, as in the
// commands that requests for exec carry; and parameters in a path.
var (
	jwt           = regexp.MustCompile(`eyJ[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]*){2,4}`)
	bearer        = regexp.MustCompile(`(?i)(bearer(?:%20|\+| )+)((?:[A-Za-z0-9._~/=:-]|%2[BbFf]|%3[Dd])+)`)
	authorization = regexp.MustCompile(`(?i)(authorization(?::|%3A)(?:%20|\+| )*(?:[a-z]+(?:%20|\+| )+)?)((?:[A-Za-z0-9._~/=:-]|%2[BbFf]|%3[Dd])+)`)
	pathParameter = regexp.MustCompile(`;([^;/=]+)=([^;/]+)`)
)

// maxTokens bounds how many tokens of a text are replaced one by one. Anybody can
// write 200,000 into the URI of a request: hashing them would take a second, and
// the event would grow tenfold.
const maxTokens = 1000

// cleanURI replaces the tokens in a URI: values of parameters with the name of
// one, of URLs that it holds, too, the passwords of these, and what looks like a
// token. The rest of a command stays: rules read it. It reports false where there
// are more than maxTokens.
func (r *Redactor) cleanURI(uri string) (clean string, ok bool) {
	c := tokenCleaner{Redactor: r, left: maxTokens, uri: true, parameters: true}
	path, query, found := strings.Cut(uri, "?")
	uri = c.path(path)
	if found {
		uri += "?" + c.query(query)
	}
	uri = c.matches(authorization, 2, uri)
	uri = c.matches(bearer, 2, uri)
	uri = c.matches(jwt, 0, uri)
	return uri, c.left >= 0
}

// path cleans that of a URI.
func (c *tokenCleaner) path(path string) string {
	path = c.urls(path)
	if plain, err := url.PathUnescape(path); err == nil && plain != path {
		if clean := c.urls(plain); clean != plain {
			path = (&url.URL{Path: clean}).EscapedPath()
		}
	}
	if c.left < 0 {
		return path
	}
	return pathParameter.ReplaceAllStringFunc(path, func(parameter string) string {
		name, value, _ := strings.Cut(parameter, "=")
		if !isTokenName(name[1:]) {
			return parameter
		}
		return name + "=" + c.token(value)
	})
}

// safePrefix returns how many of the first n bytes of a URI end between tokens: none
// is cut there into a part that does not look like one.
func safePrefix(uri string, n int) int {
	return strings.LastIndexAny(uri[:min(n, len(uri))], "/?&") + 1
}

// query cleans the parameters of a URI, and the URLs that stand in one.
func (c *tokenCleaner) query(query string) string {
	var clean strings.Builder
	for c.left >= 0 {
		n := strings.IndexAny(query, "&;")
		pair := query
		if n >= 0 {
			pair = query[:n]
		}
		clean.WriteString(c.pair(pair))
		if n < 0 {
			break
		}
		clean.WriteByte(query[n])
		query = query[n+1:]
	}
	return clean.String()
}

// pair cleans one parameter.
func (c *tokenCleaner) pair(pair string) string {
	name, value, _ := strings.Cut(pair, "=")
	switch {
	case value == "", c.code && strings.ContainsAny(value, shell):
		return pair
	case isTokenName(name):
		return name + "=" + c.token(value)
	case !c.uri || !strings.ContainsAny(value, "?@%;"):
		return pair
	}
	plain, err := url.QueryUnescape(value)
	if err != nil {
		return pair
	}
	clean := c.reference(plain)
	if clean == plain {
		return pair
	}
	return name + "=" + strings.ReplaceAll(url.QueryEscape(clean), "%3A", ":")
}

// reference cleans a parameter's value: the URLs in it, and itself where it is
// the path of one with parameters, as in next=/login?token=x.
func (c *tokenCleaner) reference(plain string) string {
	within := *c
	within.uri, within.code = false, true
	defer func() { c.left = within.left }()
	if path, query, found := strings.Cut(plain, "?"); found && strings.HasPrefix(plain, "/") {
		return path + "?" + within.query(query)
	}
	return within.urls(plain)
}

// tokenNames end the names of parameters that hold tokens and passwords, by their
// last letter: nearly all names end in another way. Those of up to four letters
// are the names themselves.
var tokenNames = map[byte][]string{
	'n': {"token", "authorization"},
	'd': {"password", "passwd", "pwd"},
	'e': {"passphrase", "signature"},
	't': {"secret", "jwt"},
	'y': {"apikey", "api_key", "api-key", "secretkey", "secret_key", "secret-key", "privatekey", "private_key", "private-key"},
	'g': {"sig"},
	's': {"pass"},
	'h': {"auth"},
}

// isTokenName reports whether a parameter with this name holds a secret.
func isTokenName(name string) bool {
	if strings.ContainsAny(name, "%+") {
		if plain, err := url.QueryUnescape(name); err == nil {
			name = plain
		}
	}
	if name == "" {
		return false
	}
	return slices.ContainsFunc(tokenNames[name[len(name)-1]|0x20], func(end string) bool {
		if len(end) <= 4 {
			return strings.EqualFold(name, end)
		}
		return len(name) >= len(end) && strings.EqualFold(name[len(name)-len(end):], end)
	})
}
