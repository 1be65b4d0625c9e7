package output

import (
	"unicode/utf16"
	"unicode/utf8"
)

// AppendJSON appends the JSON text src with everything that could act on a
// terminal or hide there escaped: control and bidirectional characters,
// invisible ones and invalid UTF-8 (as U+FFFD, which is what readers make of
// it). The text means the same as before. src must be valid JSON but for its
// encoding: what is escaped can then only stand inside strings.
func AppendJSON(dst, src []byte) []byte {
	for len(src) > 0 {
		n := 0
		for n < len(src) && src[n] < 0x7f {
			n++
		}
		dst, src = append(dst, src[:n]...), src[n:]
		if len(src) == 0 {
			break
		}
		r, size := utf8.DecodeRune(src)
		switch {
		case r == utf8.RuneError && size == 1:
			dst = append(dst, `\ufffd`...)
		case isVisible(r):
			dst = append(dst, src[:size]...)
		case r < 0x10000:
			dst = appendHex(append(dst, `\u`...), r, 4)
		default:
			high, low := utf16.EncodeRune(r)
			dst = appendHex(append(dst, `\u`...), high, 4)
			dst = appendHex(append(dst, `\u`...), low, 4)
		}
		src = src[size:]
	}
	return dst
}
