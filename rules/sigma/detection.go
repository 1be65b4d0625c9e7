package sigma

import (
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// detection is what a rule's detection section says.
type detection struct {
	when   *expression
	window *window // of an old aggregation; nil if there is none
}

// detect converts the detection of a rule, once.
func (c *converter) detect(s *source) *detection {
	if s.detected != nil {
		return s.detected
	}
	s.detected = &detection{when: never}
	n := s.members["detection"]
	if n == nil {
		s.refuse(nil, "detection", "there is none")
		return s.detected
	}
	section := section(s.mapping(n, "detection"))
	selections := c.selections(s, n)
	d := &detection{when: never}
	if selections != nil {
		d = c.conditions(s, section, selections)
	}
	s.detected = d
	s.judge(d.when)
	return d
}

// judge looks at what became of a condition as a whole.
func (s *source) judge(e *expression) {
	switch {
	case s.refused:
	case e.op == opFalse:
		s.dead = true
		s.say(NeverTrue, s.members["detection"], "detection.condition", "no event can meet the condition: the rule can never fire")
	case e.op == opTrue:
		s.refuse(s.members["detection"], "detection.condition", "every event meets the condition")
	case e.size > maxValues:
		s.refuse(s.members["detection"], "detection.condition", "it comes to %d comparisons, a condition holds about %d: split the rule", e.size, maxValues)
	}
}

// sections are the members of a mapping by their keys.
type sections map[string]*member

// valueOrNil returns a member's value, nil if it is not there.
func (m *member) valueOrNil() ast.Node {
	if m == nil {
		return nil
	}
	return m.value
}

func section(members []member) sections {
	out := sections{}
	for i := range members {
		out[members[i].key] = &members[i]
	}
	return out
}

// named is a search identifier with what it came to.
type named struct {
	name string
	when *expression
}

// selections converts the search identifiers, nil if there are too many.
func (c *converter) selections(s *source, n ast.Node) []named {
	var out []named
	for _, m := range s.mapping(n, "detection") {
		if m.key == "condition" || m.key == "timeframe" {
			continue
		}
		if len(out) == maxSelections {
			s.refuse(m.at, "detection", "at most %d search identifiers are read", maxSelections)
			return nil
		}
		out = append(out, named{m.key, c.selection(s, m.value, "detection."+cut(clean(m.key), 80))})
	}
	return out
}

// conditions converts the condition; each of a list is enough.
func (c *converter) conditions(s *source, section sections, selections []named) *detection {
	d := &detection{when: never}
	n := section["condition"].valueOrNil()
	texts := s.texts("detection.condition", n)
	switch {
	case len(texts) == 0:
		s.refuse(s.members["detection"], "detection.condition", "there is none")
		return d
	case len(texts) > maxConditions:
		s.refuse(n, "detection.condition", "at most %d conditions are read", maxConditions)
		return d
	}
	var parts []*expression
	for _, text := range texts {
		text, aggregation, aggregated := strings.Cut(text, "|")
		if aggregated && len(texts) > 1 {
			s.refuse(n, "detection.condition", "an aggregation cannot be one of several conditions")
			return d
		}
		if aggregated {
			d.window = c.aggregation(s, n, section, aggregation)
		}
		parts = append(parts, s.condition(n, text, selections))
	}
	if d.window == nil && section["timeframe"] != nil {
		s.say(Note, section["timeframe"].at, "detection.timeframe", "without an aggregation it means nothing")
	}
	d.when = or(parts...)
	return d
}
