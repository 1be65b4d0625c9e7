package audit

import (
	"bytes"
	"encoding/base64"
	"io"

	"github.com/klauspost/compress/gzip"
)

// Bounds of looking into encoded text.
const (
	minEncoded    = 40      // characters of a text that is looked into
	maxLayers     = 2       // of base64 within base64
	maxUnpacked   = 1 << 20 // bytes that are decompressed of one body
	gzipHeadBytes = 10
)

// mayHoldEncoded reports whether a string in a JSON text may be encoded. It errs
// towards true. It looks from the end of where the beginning of one may lie: most
// often something else stands there soon.
func mayHoldEncoded(in []byte) bool {
	for i := 0; i+minEncoded <= len(in); {
		last := i + minEncoded - 1
		for last >= i && mayEncode(in[last]) {
			last--
		}
		if last >= i {
			i = last + 1
			continue
		}
		if i > 0 && in[i-1] == '"' && beginsEncoded(in[i:], '\\') {
			return true
		}
		for i += minEncoded; i < len(in) && mayEncode(in[i]); i++ {
		}
	}
	return false
}

// mayEncode reports whether a byte may be of base64, in whatever alphabet, or of
// an escape in it.
func mayEncode(c byte) bool {
	const (
		low  = 1<<'+' | 1<<'-' | 1<<'/' | (1<<10-1)<<'0'
		high = (1<<26-1)<<('A'-64) | 1<<('\\'-64) | 1<<('_'-64) | (1<<26-1)<<('a'-64)
	)
	if c < 64 {
		return low>>c&1 == 1
	}
	return c < 128 && high>>(c-64)&1 == 1
}

// beginsEncoded reports whether a text begins like the base64 of text or gzip, of
// either alphabet, in lines or not; other is one more character that it may hold.
// The base64 of thirty characters has capital letters, most names have none.
func beginsEncoded[T string | []byte](s T, other byte) bool {
	capitals := false
	for i := range minEncoded {
		switch c := s[i]; {
		case 'A' <= c && c <= 'Z':
			capitals = true
		case isLetter(c), isDigit(c), c == '+', c == '/' && i > 0, c == '-', c == '_', c == '\r', c == '\n', c == other:
		default:
			return false
		}
	}
	return capitals
}

// hides reports whether a text is, as a whole, the base64 of one that would be
// redacted, compressed by gzip or not. What is too much to look into is taken for
// that.
func (x *redaction) hides(s string) bool {
	text := view(s)
	for range maxLayers {
		decoded, ok := decodeBase64(text)
		if !ok {
			return false
		}
		if text = decoded; isGzip(text) {
			if text, ok = x.unpack(text); !ok {
				return true
			}
		}
		if namesManifest(text) || x.holdsToken(text) {
			return true
		}
	}
	return false
}

// decodeBase64 decodes a text of either alphabet, with padding or without, in
// lines or not.
func decodeBase64(text []byte) ([]byte, bool) {
	if len(text) < minEncoded || !beginsEncoded(text, '\n') {
		return nil, false
	}
	encoding := base64.RawStdEncoding
	if bytes.ContainsAny(text, "-_") {
		encoding = base64.RawURLEncoding
	}
	text = bytes.TrimRight(text, "=\r\n")
	decoded := make([]byte, encoding.DecodedLen(len(text)))
	n, err := encoding.Decode(decoded, text)
	return decoded[:n], err == nil
}

func isGzip(text []byte) bool {
	return len(text) > gzipHeadBytes && text[0] == 0x1f && text[1] == 0x8b
}

// unpack decompresses a text, as far as it goes. It reports false where that is
// more than there is room for.
func (x *redaction) unpack(text []byte) ([]byte, bool) {
	r, err := gzip.NewReader(bytes.NewReader(text))
	if err != nil {
		return nil, true
	}
	// What is broken shows what comes before.
	plain, _ := io.ReadAll(io.LimitReader(r, int64(*x.room)+1))
	if len(plain) > *x.room {
		return nil, false
	}
	*x.room -= len(plain)
	return plain, true
}
