package audit

import (
	"crypto/sha256"
)

// BodyHash returns the SHA-256 of a body's normal text (see [NormalBody]).
func BodyHash(body []byte) [sha256.Size]byte {
	if isNormalBody(body) {
		return sha256.Sum256(body)
	}
	return sha256.Sum256(NormalBody(make([]byte, 0, len(body)), body))
}

// NormalBody appends the normal text of body, a valid JSON value: no white
// space between tokens, strings in their shortest spelling (only quote,
// backslash and control characters are escaped, what is no Unicode is U+FFFD),
// everything else as it is: the order of members, members that come twice, the
// spelling of numbers. Appliances that pass events on and escape strings or set
// white space in their own way leave it unchanged.
func NormalBody(dst, body []byte) []byte {
	for i := 0; i < len(body); {
		switch c := body[i]; c {
		case ' ', '\t', '\r', '\n':
			i++
		case '"':
			end, plain := stringEnd(body, i)
			if plain {
				dst = append(dst, body[i:end]...)
			} else {
				dst = appendQuoted(dst, unquote(body[i:end]))
			}
			i = end
		default:
			dst = append(dst, c)
			i++
		}
	}
	return dst
}

// isNormalBody reports whether NormalBody would surely change nothing.
func isNormalBody(body []byte) bool {
	for i := 0; i < len(body); {
		switch body[i] {
		case ' ', '\t', '\r', '\n':
			return false
		case '"':
			end, plain := stringEnd(body, i)
			if !plain {
				return false
			}
			i = end
		default:
			i++
		}
	}
	return true
}

// stringEnd returns the index behind the string that starts at body[i], and
// whether its spelling is the normal one.
func stringEnd(body []byte, i int) (end int, plain bool) {
	end, plain = closingQuote(body, i+1)
	if end < 0 {
		return len(body), true // not JSON: as it is
	}
	return end + 1, plain || isPlain(body[i+1:end])
}
