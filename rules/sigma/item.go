package sigma

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// maxPattern is the longest regular expression that is taken over, in bytes.
const maxPattern = 1_000

// item converts a member of a selection: a field, modifiers and values.
func (c *converter) item(s *source, m member, where string) *expression {
	names := strings.Split(m.key, "|")
	label := where + "." + cut(clean(names[0]), 80)
	if names[0] == "" {
		s.refuse(m.at, where, "keywords look for a text anywhere in an event: name the fields to look into")
		return never
	}
	mods, ok := s.modifiers(names[1:], m.at, label)
	if !ok {
		return never
	}
	f, hint := c.vocabulary.lookup(names[0])
	if f.holds == noType {
		s.say(NeverTrue, m.at, label, "audit events have no field %q: %s", cut(clean(names[0]), 80), hint)
	}
	values, ok := s.scalars(m, label)
	if !ok {
		return never
	}
	if f.note != "" {
		s.say(Note, m.at, label, "%s", f.note)
	}
	return (&comparison{converter: c, source: s, field: f, modifiers: mods, label: label}).of(values)
}

// scalars returns the values of an item.
func (s *source) scalars(m member, label string) ([]scalar, bool) {
	nodes := elements(m.value)
	s.values += len(nodes)
	if len(nodes) == 0 || s.values > maxValues {
		s.refuse(m.value, label, "want at least one value, and at most %d in a rule", maxValues)
		return nil, false
	}
	values := make([]scalar, len(nodes))
	for i, n := range nodes {
		v, ok := scalarOf(n)
		if !ok {
			s.refuse(n, label, "want a value or a list of values")
			return nil, false
		}
		values[i] = v
	}
	return values, true
}

// comparison makes the condition that an item is.
type comparison struct {
	converter *converter
	source    *source
	field     *field
	modifiers
	label string
}

func (c *comparison) of(values []scalar) *expression {
	var here, whole []*expression // conditions on an element, and on all of the field
	for _, v := range values {
		e, aboutElement := c.value(v)
		if aboutElement && !c.all {
			here = append(here, e)
		} else if aboutElement {
			whole = append(whole, c.wrap(e))
		} else {
			whole = append(whole, e)
		}
	}
	if len(here) > 0 {
		whole = append(whole, c.wrap(or(here...)))
	}
	e := or(whole...)
	if c.all {
		e = and(whole...)
	}
	if c.neq {
		e = not(e)
	}
	return e
}

// wrap asks an element's condition of the lists that it is in.
func (c *comparison) wrap(e *expression) *expression {
	if len(c.field.lists) > 0 && e.op != opTrue && e.op != opFalse {
		for i := len(c.field.lists) - 1; i >= 0; i-- {
			list, size := c.field.lists[i], e.size
			inverse := ""
			if i == 0 {
				inverse = "none(" + list + ", " + e.String() + ")"
			}
			e = test("any("+list+", "+e.String()+")", inverse)
			e.size = size
		}
	}
	if c.field.body {
		return ofBody(e)
	}
	return e
}

// value converts one value. It reports whether the condition is one on an element
// of the field's lists.
func (c *comparison) value(v scalar) (e *expression, aboutElement bool) {
	switch {
	case c.field.holds == noType:
		return c.absent(v), false
	case c.match == "exists":
		if v.kind != boolean {
			c.source.refuse(v.node, c.label, "exists wants true or false")
			return never, false
		}
		if v.text == "true" {
			return c.present(v), true
		}
		return not(c.wrap(c.present(v))), false
	case v.kind == null || v.text == "" && c.match == "":
		return not(c.wrap(c.present(v))), false
	case c.field.whole:
		c.source.refuse(v.node, c.label, "it is an object, not a text: name the field of it that is meant")
		return never, true
	}
	switch c.field.holds {
	case numberType:
		return c.number(v), true
	case flagType:
		return c.flag(v), true
	case anyType:
		return c.part(v), true
	default:
		return c.text(v), true
	}
}

// absent is a condition on a field that no event has.
func (c *comparison) absent(v scalar) *expression {
	if v.kind == null || c.match == "exists" && v.text == "false" || c.match == "" && v.text == "" {
		return always
	}
	return never
}

// present is the condition that there is a value.
func (c *comparison) present(v scalar) *expression {
	switch s := c.field.subject; c.field.holds {
	case numberType:
		return not(equals(s, "0"))
	case flagType:
		c.source.refuse(v.node, c.label, "whether it was given is not known, only whether it is true: write true or false")
		return never
	case anyType:
		return not(equals(s, "nil"))
	default:
		return not(equals(s, `""`))
	}
}

func (c *comparison) flag(v scalar) *expression {
	s := c.field.subject
	switch text := strings.ToLower(v.text); {
	case c.match != "":
		c.source.refuse(v.node, c.label, "it is true or false: %s makes no sense", c.match)
	case text == "true":
		return test(s, "!"+s)
	case text == "false":
		return test("!"+s, s)
	case text == "*":
		return c.present(v)
	default:
		c.source.say(NeverTrue, v.node, c.label, "it is true or false, never %q", cut(clean(v.text), 80))
	}
	return never
}

// text converts a value of a field that is a text.
func (c *comparison) text(v scalar) *expression {
	switch c.match {
	case "re":
		return c.regexp(v)
	case "cidr":
		return c.cidr(v)
	case "lt", "lte", "gt", "gte":
		c.source.refuse(v.node, c.label, "it is a text: %s makes no sense", c.match)
		return never
	}
	return c.pattern(v)
}

// pattern converts a value with its wildcards.
func (c *comparison) pattern(v scalar) *expression {
	text, subject, flags := v.text, c.plain(), "s"
	switch {
	case c.cased:
	case c.field.letters == lowered:
		text = strings.ToLower(text)
	case c.field.letters == free:
		text, subject, flags = strings.ToLower(text), c.folded(), "is"
	}
	if c.field.value != nil {
		text = c.field.value(text, c.match == "" && !strings.ContainsAny(text, "*?"))
	}
	p := c.affixed(parsePattern(text))
	shape, inner := p.shape()
	switch quoted := strconv.Quote(inner); shape {
	case exactly:
		return c.equal(subject, inner, v)
	case beginning:
		return test(subject+" startsWith "+quoted, "")
	case ending:
		return test(subject+" endsWith "+quoted, "")
	case within:
		return test(subject+" contains "+quoted, "")
	case something:
		return c.present(v)
	default:
		return test(c.plain()+" matches "+strconv.Quote(p.regexp(flags)), "")
	}
}

// affixed adds the wildcards that a modifier stands for.
func (c *comparison) affixed(p pattern) pattern {
	if (c.match == "endswith" || c.match == "contains") && (len(p) == 0 || p[0] != star) {
		p = append(pattern{star}, p...)
	}
	if c.match == "startswith" || c.match == "contains" {
		p = p.withStar()
	}
	return p
}

// equal compares with a text that has no wildcard. What the field never is makes
// a condition that never holds.
func (c *comparison) equal(subject, text string, v scalar) *expression {
	for _, known := range c.field.known {
		if !c.cased && strings.EqualFold(known, text) {
			text = known
		}
	}
	if why := c.converter.neverIs(c.field, text); why != "" {
		c.source.say(NeverTrue, v.node, c.label, "%s", why)
		return never
	}
	return equals(subject, strconv.Quote(text))
}

func (c *comparison) regexp(v scalar) *expression {
	text := v.text
	if c.flags != "" {
		text = "(?" + c.flags + ")" + text
	}
	if len(text) > maxPattern {
		c.source.refuse(v.node, c.label, "the pattern has %d bytes, at most %d are taken over", len(text), maxPattern)
		return never
	}
	if _, err := regexp.Compile(text); err != nil {
		c.source.refuse(v.node, c.label, "patterns are those of RE2, which has no look-around and no back-references: this is none")
		return never
	}
	return test(c.plain()+" matches "+strconv.Quote(text), "")
}

func (c *comparison) cidr(v scalar) *expression {
	if !c.field.address {
		c.source.refuse(v.node, c.label, "it is no address: cidr makes no sense")
		return never
	}
	prefix, err := netip.ParsePrefix(v.text)
	if err != nil {
		c.source.refuse(v.node, c.label, "%q is no range of addresses such as 10.0.0.0/8", cut(clean(v.text), 80))
		return never
	}
	return test(fmt.Sprintf("inCIDR(%s, %q)", c.field.subject, prefix.Masked().String()), "")
}

// part converts a value of a part of the object, which may be of any type. Where
// it is of another type than the value, the condition cannot be answered.
func (c *comparison) part(v scalar) *expression {
	s := c.field.subject
	switch {
	case c.match == "lt" || c.match == "lte" || c.match == "gt" || c.match == "gte":
		return c.ordered("("+s+" ?? 0)", v)
	case c.match == "" && !c.field.keyed && (v.kind == boolean || v.text == "true" || v.text == "false"):
		return equals(s, strings.ToLower(v.text))
	case c.match == "" && !c.field.keyed && v.kind == integer:
		return c.numberIs(s, v)
	default:
		return c.text(v)
	}
}

// plain is the subject as a text.
func (c *comparison) plain() string {
	if c.field.holds == anyType {
		return "(" + c.field.subject + ` ?? "")`
	}
	return c.field.subject
}

// folded is the subject in lower case.
func (c *comparison) folded() string {
	if c.field.holds == anyType {
		return "lower(" + c.field.subject + ` ?? "")`
	}
	return "lower(" + c.field.subject + ")"
}
