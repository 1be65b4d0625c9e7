package audit

import (
	"encoding/hex"
	"regexp"
)

// skipped is what may stand between the name of a member and its value in YAML,
// in any order: white space and comments, quotes and their escapes, tags, anchors,
// the heads of block scalars; and the braces of templates.
const skipped = `(?:\s|\\[nrt]?|["']|#[^\n]*(?:\n|$)|![^\s,\[\]{}]*|&[^\s,\[\]{}]+|[|>][-+0-9]*|\{\{-?)*`

// manifest matches text that names a target's kind as manifests do: in whatever
// spelling of YAML, in JSON that is cut or follows other text, in templates of
// them, in programs that write them, in patches in a file. It matches more than a
// parser would read, on purpose, but no prose where other words follow on the
// line.
var manifest = regexp.MustCompile(`(?m)(?:` +
	`(?:\b|\\[nrt])(?i:kind)(?:` + skipped + `:[\s"'\\]|\\*["']\s*:)` + skipped + // kind: Secret, "kind":Secret
	`|(?:\b|\\[nrt])(?i:kind)\\*["']?\s*=>?\s*\\*["']` + // kind = "Secret", kind => 'Secret'
	`|&[^\s,\[\]{}]+\s` + skipped + // &a Secret, for kind: *a
	`|\*[^\s,\[\]{}]+\s+:` + skipped + // *a : Secret, for &a kind
	`)(?:Secret|SecretList|TokenRequest|TokenReview)` +
	`(?:\\*["']|[ \t]*(?:$|[^\w \t.]))`)

// yamlEscape matches the escapes that YAML has for ASCII characters, as they
// stand in text within text, too.
var yamlEscape = regexp.MustCompile(`\\+(?:u00|x|U000000)([2-7][0-9A-Fa-f])`)

// namesManifest reports whether a text holds a manifest of a target's kind.
func namesManifest(text []byte) bool {
	if escapes(text) {
		text = yamlEscape.ReplaceAllFunc(text, unescapeLetter)
	}
	return namesKind(text) && manifest.Match(text)
}

// unescapeLetter returns the letter that an escape stands for, or the escape.
func unescapeLetter(escape []byte) []byte {
	var c [1]byte
	if _, err := hex.Decode(c[:], escape[len(escape)-2:]); err != nil || !isLetter(c[0]) {
		return escape
	}
	return c[:]
}
