package audit

import (
	"bytes"
	"net/url"
	"regexp"
	"strings"
)

// What tells by itself that it is secret, in text of any kind: JSON web tokens
// (RFC 7519), passwords and tokens in URLs (RFC 3986), and private keys (RFC
// 7468), in the clear and as base64.
var (
	webToken = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){2,4}`)
	refused  = regexp.MustCompile(`"([^"]*)": ` + refusedURL)
	pemKey   = regexp.MustCompile(`(?s)-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----(.+?)(?:-----END|$)`)
	pemKey64 = regexp.MustCompile(`(` + pemHead64 + `(?:` + pemKeys64 + `)[A-Za-z0-9+/_-]*(?:(?:\s|\\[nr])+[A-Za-z0-9+/_-]{40,})*=*)`)
)

// refusedURL is what the API server says of a webhook's URL with a password,
// behind the password (k8s.io/apiserver/pkg/util/webhook).
const refusedURL = "user information is not permitted"

// The base64 of how private keys begin, by what stands before PRIVATE KEY.
const (
	pemHead64 = `LS0tLS1CRUdJTi`
	pemKeys64 = `BQUklWQVRF|BSU0EgUFJJVkFUR|BFQyBQUklWQVRF|BEU0EgUFJJVkFUR|BPUEVOU1NIIFBSSVZBVEUg|BFTkNSWVBURUQgUFJJVkFUR`
)

// mayHoldToken reports whether a text may hold a JSON web token or a URL with a
// password. It errs towards true, and so do the functions below.
func mayHoldToken(text []byte) bool {
	return after(text, "ey", 'J') != nil || bytes.IndexByte(text, '@') >= 0 && mayHoldURL(text)
}

func mayHoldURL(text []byte) bool {
	for rest := text; ; {
		if rest = after(rest, ":/", '/'); rest == nil {
			return false
		}
		end := bytes.IndexByte(rest, '"')
		if end < 0 {
			end = len(rest)
		}
		if bytes.IndexByte(rest[:end], '@') >= 0 || bytes.IndexByte(rest[:end], '?') >= 0 {
			return true
		}
		rest = rest[end:]
	}
}

func mayHoldKey(text []byte) bool {
	return bytes.Contains(text, []byte("PRIVATE KEY")) || bytes.Contains(text, []byte(pemHead64))
}

// mayQuote reports whether a message may quote such a thing, or a URL with
// parameters.
func mayQuote(message string) bool {
	return strings.Contains(message, "://") || strings.Contains(message, refusedURL)
}

// after returns what follows in a text on before and c, nil if it does not hold
// them. It is quicker than a search where c is rarer than the first byte.
func after(text []byte, before string, c byte) []byte {
	for i := 0; ; i++ {
		n := bytes.IndexByte(text[i:], c)
		if n < 0 {
			return nil
		}
		i += n
		if bytes.HasSuffix(text[:i], []byte(before)) {
			return text[i+1:]
		}
	}
}

// tokensAt replaces the tokens in a string, whose text is in[start:pos].
func (x *redaction) tokensAt(start int, s string, code bool) {
	if clean := x.cleanText(s, x.reads, code); clean != s {
		x.put(start, clean)
	}
}

// holdsToken reports whether a text holds a token or a private key.
func (r *Redactor) holdsToken(text []byte) bool {
	return r.cleanText(string(text), objects, false) != string(text)
}

// cleanText replaces the tokens in a text, and what else is looked for there:
// parameters of URLs, private keys. In code no command may hide between what looks
// like one.
func (r *Redactor) cleanText(s string, reads reading, code bool) string {
	c := tokenCleaner{Redactor: r, left: maxTokens, code: code, parameters: reads == quotes || reads == objects}
	s = c.urls(s)
	if strings.Contains(s, refusedURL) {
		s = c.matches(refused, 1, s)
	}
	if strings.Contains(s, "eyJ") {
		s = c.matches(webToken, 0, s)
	}
	if reads == objects && mayHoldKey(view(s)) {
		s = c.matches(pemKey64, 1, s)
		if !code {
			s = c.matches(pemKey, 1, s)
		}
	}
	return s
}

// tokenCleaner replaces the tokens of one text.
type tokenCleaner struct {
	*Redactor
	left int  // tokens that may still be hashed; of a URI -1: there were too many
	uri  bool // the text is spelt as a URI
	code bool // the text may be a command

	parameters bool // of URLs are looked at
}

// unhashed stands for the tokens of a text behind the first maxTokens.
const unhashed = "***"

// token returns what stands for a token.
func (c *tokenCleaner) token(token string) string {
	switch {
	case len(token) >= markerLen && isMarker(token[:markerLen]), token == unhashed:
		return token
	case c.left > 0:
		c.left--
	case c.uri:
		c.left = -1 // it will not be kept
		return token
	default:
		return unhashed
	}
	if c.uri {
		if plain, err := url.QueryUnescape(token); err == nil {
			token = plain
		}
	}
	return c.marker([]byte(token))
}

// matches replaces what the group of each match of a pattern holds.
func (c *tokenCleaner) matches(pattern *regexp.Regexp, group int, s string) string {
	if c.left < 0 {
		return s
	}
	var clean strings.Builder
	done := 0
	for _, at := range pattern.FindAllStringSubmatchIndex(s, -1) {
		start, end := at[2*group], at[2*group+1]
		clean.WriteString(s[done:start])
		clean.WriteString(c.token(s[start:end]))
		done = end
	}
	clean.WriteString(s[done:])
	return clean.String()
}

// urls cleans the URLs in a text.
func (c *tokenCleaner) urls(s string) string {
	if !strings.Contains(s, "://") && !strings.Contains(s, `:\`) {
		return s
	}
	var clean strings.Builder
	done := 0
	for c.left >= 0 {
		start, end := nextURL(s, done)
		if end < 0 {
			break
		}
		clean.WriteString(s[done:start])
		clean.WriteString(c.url(s[start:end]))
		done = end
	}
	clean.WriteString(s[done:])
	return clean.String()
}

// nextURL returns where in s the first URL behind from begins and ends: from its
// scheme up to white space or what quotes it; end is -1 if there is none. The
// slashes may be escaped.
func nextURL(s string, from int) (start, end int) {
	for i := from; ; i++ {
		n := strings.IndexByte(s[i:], ':')
		if n < 0 {
			return 0, -1
		}
		i += n
		rest, ok := cutSlash(s[i+1:])
		if ok {
			rest, ok = cutSlash(rest)
		}
		start = i - len(scheme(s[from:i]))
		if !ok || start == i {
			continue
		}
		if n = strings.IndexAny(rest, " \t\r\n\f\v\"'<>`"); n < 0 {
			n = len(rest)
		}
		return start, len(s) - len(rest) + n
	}
}

// cutSlash cuts off a slash with the backslashes before it.
func cutSlash(s string) (rest string, ok bool) {
	return strings.CutPrefix(strings.TrimLeft(s, `\`), "/")
}

// scheme returns the scheme of a URL that s ends with, "" if that is none.
func scheme(s string) string {
	i := len(s)
	for i > 0 && (isLetter(s[i-1]) || isDigit(s[i-1]) || strings.IndexByte("+.-", s[i-1]) >= 0) {
		i--
	}
	return strings.TrimLeft(s[i:], "0123456789+.-")
}

// shell are the characters by which a command may follow in a word.
const shell = "$;&|(){}"

// url replaces the password of a URL, or what stands before the host of one of
// HTTP, where it can only be a token; and parameters that are named like tokens,
// where they are looked at.
func (c *tokenCleaner) url(s string) string {
	slash := strings.IndexByte(s, '/')
	begin := slash + 1 + strings.IndexByte(s[slash+1:], '/') + 1
	head, rest := s[:begin], s[begin:]
	end := strings.IndexAny(rest, `/?#\`)
	if end < 0 {
		end = len(rest)
	}
	if at := strings.LastIndexByte(rest[:end], '@'); at > 0 && !isMarker(rest[:at]) {
		user, password, found := strings.Cut(rest[:at], ":")
		switch {
		case c.code && strings.ContainsAny(rest[:at], shell):
		case password != "":
			head += user + ":" + c.token(password)
			rest = rest[at:]
		case !found && strings.HasPrefix(strings.ToLower(head), "http"):
			head += c.token(user)
			rest = rest[at:]
		}
	}
	path, query, found := strings.Cut(rest, "?")
	if !found || !c.parameters {
		return head + rest
	}
	return head + path + "?" + c.query(query)
}
