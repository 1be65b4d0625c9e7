package sigma

import (
	"slices"
	"strings"
)

type operator int

const (
	opTest operator = iota // text
	opIn                   // subject is one of literals
	opNot
	opAnd
	opOr
	opTrue
	opFalse
)

// expression is a part of a rule's condition. It does not change once it is made
// and may be a part of several others.
type expression struct {
	op       operator
	text     string   // opTest
	inverse  string   // opTest: the same denied, where that is not !(text)
	subject  string   // opIn
	literals []string // opIn, as they are written
	parts    []*expression
	body     bool // it looks into the object
	size     int  // how many tests it has; it may count one twice
}

var (
	always = &expression{op: opTrue}
	never  = &expression{op: opFalse}
)

func test(text, inverse string) *expression {
	return &expression{op: opTest, text: text, inverse: inverse, size: 1}
}

func equals(subject, literal string) *expression {
	return &expression{op: opIn, subject: subject, literals: []string{literal}, size: 1}
}

// ofBody says of an expression that it looks into the object.
func ofBody(e *expression) *expression {
	if e.op == opTrue || e.op == opFalse {
		return e
	}
	marked := *e
	marked.body = true
	return &marked
}

func not(e *expression) *expression {
	switch {
	case e.op == opTrue:
		return never
	case e.op == opFalse:
		return always
	case e.op == opNot:
		return e.parts[0]
	case e.op == opTest && e.inverse != "":
		inverse := *e
		inverse.text, inverse.inverse = e.inverse, e.text
		return &inverse
	default:
		return &expression{op: opNot, parts: []*expression{e}, body: e.body, size: e.size}
	}
}

func and(parts ...*expression) *expression { return join(opAnd, opTrue, opFalse, parts) }
func or(parts ...*expression) *expression  { return join(opOr, opFalse, opTrue, parts) }

// join folds constants, flattens, keeps one of what is the same, and puts last what looks into the object: what
// stands before may settle the answer where the object was not recorded.
func join(op, neutral, absorbing operator, parts []*expression) *expression {
	e := &expression{op: op}
	seen := map[*expression]bool{}
	add := func(parts ...*expression) {
		for _, p := range parts {
			if !seen[p] {
				seen[p] = true
				e.parts = append(e.parts, p)
			}
		}
	}
	for _, p := range parts {
		switch p.op {
		case neutral:
		case absorbing:
			return p
		case op:
			add(p.parts...)
		default:
			add(p)
		}
	}
	if op == opOr {
		e.parts = merge(e.parts)
	}
	slices.SortStableFunc(e.parts, func(a, b *expression) int { return rank(a) - rank(b) })
	for _, p := range e.parts {
		e.size += p.size
		e.body = e.body || p.body
	}
	switch len(e.parts) {
	case 0:
		return &expression{op: neutral}
	case 1:
		return e.parts[0]
	default:
		return e
	}
}

func rank(e *expression) int {
	if e.body {
		return 1
	}
	return 0
}

// merge makes one "in" of the equalities of a subject.
func merge(parts []*expression) []*expression {
	var out []*expression
	merged := map[string]*expression{}
	seen := map[[2]string]bool{}
	for _, p := range parts {
		if p.op != opIn {
			out = append(out, p)
			continue
		}
		in := merged[p.subject]
		if in == nil {
			in = &expression{op: opIn, subject: p.subject}
			merged[p.subject] = in
			out = append(out, in)
		}
		in.body = in.body || p.body
		for _, l := range p.literals {
			if key := [2]string{p.subject, l}; !seen[key] {
				seen[key] = true
				in.literals = append(in.literals, l)
				in.size++
			}
		}
	}
	return out
}

// String writes the expression in one line.
func (e *expression) String() string { return strings.Join(e.lines(), " ") }

// lines writes the expression, each part of the outermost connective on a line.
func (e *expression) lines() []string {
	if e.op != opAnd && e.op != opOr {
		return []string{e.written(0)}
	}
	word := " && "
	if e.op == opOr {
		word = " || "
	}
	lines := make([]string, len(e.parts))
	for i, p := range e.parts {
		lines[i] = p.written(e.op)
		if i > 0 {
			lines[i] = strings.TrimLeft(word, " ") + lines[i]
		}
	}
	return lines
}

// written writes a part of an expression whose connective is outer.
func (e *expression) written(outer operator) string {
	switch e.op {
	case opTrue:
		return "true"
	case opFalse:
		return "false"
	case opTest:
		return e.text
	case opIn:
		return e.among("==", "in")
	case opNot:
		if p := e.parts[0]; p.op == opIn {
			return p.among("!=", "not in")
		}
		return "!(" + e.parts[0].String() + ")"
	default:
		if outer != 0 && outer != e.op {
			return "(" + e.String() + ")"
		}
		return e.String()
	}
}

func (e *expression) among(one, many string) string {
	if len(e.literals) == 1 {
		return e.subject + " " + one + " " + e.literals[0]
	}
	return e.subject + " " + many + " [" + strings.Join(e.literals, ", ") + "]"
}
