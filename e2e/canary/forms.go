package canary

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// form is one way in which a value may be written.
type form struct {
	name  string
	bytes []byte
}

// formsOf returns the forms in which a value may stand in a file: plain, in
// base64, hexadecimal and percent signs, escaped as JSON writes it once and
// again, and each of these in base64 once more.
func formsOf(value []byte) []form {
	texts := []form{{"plain", value}}
	if utf8.Valid(value) {
		texts = append(texts, escaped(string(value))...)
	}
	forms := texts
	for _, t := range texts {
		forms = append(forms, inBase64(t)...)
	}
	query, path := url.QueryEscape(string(value)), url.PathEscape(string(value))
	return append(forms,
		form{"hex", []byte(hex.EncodeToString(value))},
		form{"HEX", []byte(strings.ToUpper(hex.EncodeToString(value)))},
		form{"query", []byte(query)},
		form{"query, lower case", []byte(lowerPercents(query))},
		form{"path", []byte(path)},
		form{"URL", []byte((&url.URL{Path: "/" + string(value)}).EscapedPath()[1:])},
		form{"percent", percents(value, "%%%02X")},
		form{"percent, lower case", percents(value, "%%%02x")},
	)
}

// escaped returns the spellings of a string in JSON, without its quotes, and
// those of such a spelling within another string, three deep, each by any
// writer: some escape what HTML or ASCII do not know, some do not.
func escaped(s string) []form {
	forms := []form{
		{`\u`, []byte(units(s, `\u%04x`))},
		{`\U`, []byte(units(s, `\u%04X`))},
		{`\\u`, []byte(units(s, `\\u%04x`))},
	}
	texts := []string{s}
	for depth := range 3 {
		var deeper []string
		for _, t := range texts {
			html, plain := quote(t, true), quote(t, false)
			deeper = append(deeper, html, plain, asciiOnly(html), asciiOnly(plain))
		}
		slices.Sort(deeper)
		texts = slices.Compact(deeper)
		for _, t := range texts {
			forms = append(forms, form{fmt.Sprintf("JSON %d deep", depth+1), []byte(t)})
		}
	}
	return forms
}

func quote(s string, html bool) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(html)
	_ = e.Encode(s) // a Builder does not fail, and a string encodes
	quoted := strings.TrimSuffix(b.String(), "\n")
	return quoted[1 : len(quoted)-1]
}

func asciiOnly(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r < utf8.RuneSelf {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

func units(s, format string) string {
	var b strings.Builder
	for _, r := range s {
		fmt.Fprintf(&b, format, r)
	}
	return b.String()
}

func percents(value []byte, format string) []byte {
	var b []byte
	for _, c := range value {
		b = fmt.Appendf(b, format, c)
	}
	return b
}

func lowerPercents(s string) string {
	b := []byte(s)
	for i := range b {
		if i > 0 && b[i-1] == '%' || i > 1 && b[i-2] == '%' {
			b[i] = strings.ToLower(string(b[i]))[0]
		}
	}
	return string(b)
}

// inBase64 returns the base64 of a text that stands somewhere in another: what
// does not depend on its neighbours, at the three places that it may begin.
func inBase64(t form) []form {
	var forms []form
	for shift := range 3 {
		padded := append(make([]byte, shift), t.bytes...)
		whole := len(padded) / 3 * 3
		from := (shift*8 + 5) / 6
		for _, e := range []struct {
			name     string
			encoding *base64.Encoding
		}{{"base64", base64.RawStdEncoding}, {"base64url", base64.RawURLEncoding}} {
			text := e.encoding.EncodeToString(padded[:whole])
			forms = append(forms, form{fmt.Sprintf("%s in %s +%d", t.name, e.name, shift), []byte(text[from:])})
		}
	}
	return forms
}
