package audit

import (
	"fmt"
	"strconv"
	"strings"
)

// step is one step of a path: a field by its name, every field, or every
// element of a list.
type step struct {
	kind stepKind
	name string // of a field
}

type stepKind uint8

const (
	stepField stepKind = iota
	stepFields
	stepElements
)

// Bounds of a rule's path.
const (
	maxPathBytes = 1024
	maxPathSteps = 64
)

// pathError says where in a path a mistake is.
type pathError struct {
	path string
	at   int // byte, from 0
	text string
}

func (e *pathError) Error() string {
	return fmt.Sprintf("%q, character %d: %s", e.path, e.at+1, e.text)
}

// parsePath reads a path as [RedactRule] describes it.
func parsePath(path string) ([]step, error) {
	if len(path) > maxPathBytes {
		return nil, fmt.Errorf("a path of %d bytes is too long: at most %d", len(path), maxPathBytes)
	}
	p := pathParser{path: path}
	p.field()
	for p.err == nil && p.pos < len(path) {
		switch path[p.pos] {
		case '.':
			p.pos++
			p.field()
		case '[':
			p.elements()
		default:
			p.fail(`want a dot or [*] here; a name that is not of letters, digits, "-", "_", "$" and "/" stands in double quotes`)
		}
	}
	if p.err == nil && len(p.steps) > maxPathSteps {
		p.fail(fmt.Sprintf("the path has %d steps, at most %d are read", len(p.steps), maxPathSteps))
	}
	return p.steps, p.err
}

type pathParser struct {
	path  string
	pos   int
	steps []step
	err   error
}

func (p *pathParser) fail(text string) {
	p.err = &pathError{path: p.path, at: p.pos, text: text}
}

func (p *pathParser) field() {
	rest := p.path[p.pos:]
	switch {
	case strings.HasPrefix(rest, "*"):
		p.steps = append(p.steps, step{kind: stepFields})
		p.pos++
	case strings.HasPrefix(rest, `"`):
		p.quoted(rest)
	default:
		n := strings.IndexFunc(rest, func(r rune) bool { return !isNameRune(r) })
		if n < 0 {
			n = len(rest)
		}
		if n == 0 {
			p.fail(`a field is missing: write its name, * for every field, or its name in double quotes, as in spec.users[*]."pass.word"`)
			return
		}
		p.steps = append(p.steps, step{name: rest[:n]})
		p.pos += n
	}
}

func (p *pathParser) quoted(rest string) {
	quoted, err := strconv.QuotedPrefix(rest)
	if err != nil {
		p.fail(`the name in quotes does not end: close it by a double quote, and write \" for one within`)
		return
	}
	name, _ := strconv.Unquote(quoted) // QuotedPrefix has read it
	p.steps = append(p.steps, step{name: name})
	p.pos += len(quoted)
}

func (p *pathParser) elements() {
	if !strings.HasPrefix(p.path[p.pos:], "[*]") {
		p.fail("write [*]: it stands for every element of a list, single ones are not told apart")
		return
	}
	p.steps = append(p.steps, step{kind: stepElements})
	p.pos += len("[*]")
}

func isNameRune(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-_$/", r)
}
