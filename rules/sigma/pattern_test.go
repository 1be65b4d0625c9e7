package sigma

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/klaxon-dev/klaxon/rules"
)

func TestShapes(t *testing.T) {
	f := func(text string, want shape, inner string) {
		t.Helper()
		if got, in := parsePattern(text).shape(); got != want || in != inner {
			t.Errorf("%q: %d %q, want %d %q", text, got, in, want, inner)
		}
	}
	f(``, exactly, ``)
	f(`a`, exactly, `a`)
	f(`a*`, beginning, `a`)
	f(`*a`, ending, `a`)
	f(`*a*`, within, `a`)
	f(`*`, something, ``)
	f(`***`, something, ``)
	f(`a*b`, mixed, ``)
	f(`a?`, mixed, ``)
	f(`\*`, exactly, `*`)
	f(`\\*`, beginning, `\`)
	f(`\\\*`, exactly, `\*`)
	f(`\\\\`, exactly, `\\`)
	f(`C:\x`, exactly, `C:\x`)
}

// FuzzPattern holds a converted value against a matcher that follows the wildcards
// one character at a time.
func FuzzPattern(f *testing.F) {
	f.Add("a*b?c", "axxbxc")
	f.Add(`*\*`, "x*")
	f.Add(`?*`, "")
	f.Add("*\n*", "a\nb")
	f.Fuzz(func(t *testing.T, value, text string) {
		if len(value) > 50 || len(text) > 50 || !isASCII(value) || !isASCII(text) || strings.Trim(value, "*") == "" {
			return
		}
		r := convertOne(t, itemOf("userAgent: "+quote(value)))
		if r.Outcome != Converted {
			t.Fatalf("%q: %s", value, said(r))
		}
		raw, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		want := rules.False
		if glob(parsePattern(strings.ToLower(value)), strings.ToLower(text)) {
			want = rules.True
		}
		if got := holds(t, parsed(t, r), `"userAgent":`+string(raw)); got != want {
			t.Errorf("value %q on %q: %v, want %v: %s", value, text, got, want, r.Document)
		}
	})
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= 0x80 })
}

func glob(p pattern, text string) bool {
	switch {
	case len(p) == 0:
		return text == ""
	case p[0] == star:
		return glob(p[1:], text) || text != "" && glob(p, text[1:])
	case text == "":
		return false
	default:
		return (p[0] == one || p[0] == rune(text[0])) && glob(p[1:], text[1:])
	}
}
