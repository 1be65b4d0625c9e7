package sigma

import (
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// Bounds on a condition.
const (
	maxTokens = 300
	maxDepth  = 50 // of parentheses and negations
)

// condition converts a condition: search identifiers joined by and, or, not, and
// "1 of" or "all of" those that a pattern names.
func (s *source) condition(n ast.Node, text string, selections []named) *expression {
	p := &conditionParser{tokens: conditionTokens.FindAllString(text, -1), selections: selections}
	if len(p.tokens) > maxTokens {
		p.fail("it has %d words, at most %d are read", len(p.tokens), maxTokens)
	}
	e := p.or(0)
	if p.err == nil && len(p.tokens) > 0 {
		p.fail("it does not end at %q", p.tokens[0])
	}
	if p.err != nil {
		s.refuse(n, "detection.condition", "%v", p.err)
		return never
	}
	return e
}

var conditionTokens = regexp.MustCompile(`[()]|[^\s()]+`)

// conditionParser parses by recursive descent: or binds least, then and, then not.
type conditionParser struct {
	tokens     []string
	selections []named
	err        error
}

func (p *conditionParser) fail(format string, args ...any) *expression {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
	p.tokens = nil
	return never
}

// accept takes the next token if it is a word, in either case.
func (p *conditionParser) accept(word string) bool {
	if len(p.tokens) == 0 || !strings.EqualFold(p.tokens[0], word) {
		return false
	}
	p.tokens = p.tokens[1:]
	return true
}

func (p *conditionParser) or(depth int) *expression {
	parts := []*expression{p.and(depth)}
	for p.accept("or") {
		parts = append(parts, p.and(depth))
	}
	return or(parts...)
}

func (p *conditionParser) and(depth int) *expression {
	parts := []*expression{p.not(depth)}
	for p.accept("and") {
		parts = append(parts, p.not(depth))
	}
	return and(parts...)
}

func (p *conditionParser) not(depth int) *expression {
	switch {
	case depth > maxDepth:
		return p.fail("it is nested deeper than %d", maxDepth)
	case p.accept("not"):
		return not(p.not(depth + 1))
	case p.accept("("):
		e := p.or(depth + 1)
		if !p.accept(")") {
			return p.fail("a parenthesis is not closed")
		}
		return e
	default:
		return p.identifier()
	}
}

func (p *conditionParser) identifier() *expression {
	if len(p.tokens) == 0 {
		return p.fail("it ends where the name of a search identifier is expected")
	}
	name := p.tokens[0]
	p.tokens = p.tokens[1:]
	if p.accept("of") {
		return p.of(name)
	}
	for _, s := range p.selections {
		if s.name == name {
			return s.when
		}
	}
	return p.fail("there is no search identifier %q", cut(clean(name), 80))
}

// of converts "1 of pattern" and "all of pattern". "them" names all but those
// that begin with an underscore.
func (p *conditionParser) of(count string) *expression {
	if len(p.tokens) == 0 {
		return p.fail("it ends after of")
	}
	pattern := p.tokens[0]
	p.tokens = p.tokens[1:]
	var parts []*expression
	for _, s := range p.selections {
		if names(pattern, s.name) {
			parts = append(parts, s.when)
		}
	}
	switch all := strings.EqualFold(count, "all"); {
	case len(parts) == 0:
		return p.fail("%q names no search identifier", cut(clean(pattern), 80))
	case all:
		return and(parts...)
	case count == "1" || strings.EqualFold(count, "any"):
		return or(parts...)
	default:
		return p.fail("%q: only 1 of and all of are converted", cut(clean(count), 80)+" of")
	}
}

func names(pattern, name string) bool {
	if strings.EqualFold(pattern, "them") {
		return !strings.HasPrefix(name, "_")
	}
	matched, err := path.Match(pattern, name)
	return err == nil && matched
}
