package sigma

import (
	"regexp"
	"strings"
)

// The wildcards of a pattern.
const (
	star = -1 // any text
	one  = -2 // any character
)

// pattern is a Sigma value: characters, and wildcards among them.
type pattern []rune

// parsePattern reads the wildcards of a value. A backslash takes the meaning from
// a wildcard, and from a backslash; elsewhere it is a backslash.
func parsePattern(text string) pattern {
	var p pattern
	runes := []rune(text)
	for i := 0; i < len(runes); i++ {
		switch r := runes[i]; r {
		case '\\':
			if i+1 < len(runes) && strings.ContainsRune(`*?\`, runes[i+1]) {
				i++
			}
			p = append(p, runes[i])
		case '*':
			p = p.withStar()
		case '?':
			p = append(p, one)
		default:
			p = append(p, r)
		}
	}
	return p
}

// withStar ends the pattern in a star.
func (p pattern) withStar() pattern {
	if len(p) > 0 && p[len(p)-1] == star {
		return p
	}
	return append(p, star)
}

// shape is the form of a pattern.
type shape int

const (
	exactly   shape = iota // text
	beginning              // text*
	ending                 // *text
	within                 // *text*
	something              // *
	mixed                  // anything else
)

// shape returns the pattern's form, and its text unless it is mixed.
func (p pattern) shape() (shape, string) {
	if len(p) == 1 && p[0] == star {
		return something, ""
	}
	left := len(p) > 0 && p[0] == star
	right := len(p) > 0 && p[len(p)-1] == star
	inner := p
	if left {
		inner = inner[1:]
	}
	if right {
		inner = inner[:len(inner)-1]
	}
	for _, r := range inner {
		if r < 0 {
			return mixed, ""
		}
	}
	switch text := string(inner); {
	case left && right:
		return within, text
	case left:
		return ending, text
	case right:
		return beginning, text
	default:
		return exactly, text
	}
}

// regexp writes the pattern as a regular expression with flags.
func (p pattern) regexp(flags string) string {
	var b strings.Builder
	b.WriteString("(?" + flags + ")")
	for i, r := range p {
		if i == 0 && r != star {
			b.WriteByte('^')
		}
		switch {
		case r == star && (i == 0 || i == len(p)-1):
		case r == star:
			b.WriteString(".*")
		case r == one:
			b.WriteByte('.')
		default:
			b.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	if len(p) > 0 && p[len(p)-1] != star {
		b.WriteByte('$')
	}
	return b.String()
}
