package sigma

import (
	"strconv"
	"strings"

	"github.com/klaxon-dev/klaxon/rules"
)

// converter converts documents that may refer to one another.
type converter struct {
	vocabulary vocabulary
	sources    []*source
	named      map[string]*source // by id and by name
	taken      map[rules.RuleID]bool
	lint       map[string]string // what is known of conditions
}

func newConverter(taken []rules.RuleID) *converter {
	c := &converter{
		vocabulary: newVocabulary(),
		named:      map[string]*source{},
		taken:      map[rules.RuleID]bool{},
		lint:       map[string]string{},
	}
	for _, id := range taken {
		c.taken[id] = true
	}
	return c
}

// classify says what a document is, before any is converted.
func (c *converter) classify(s *source) {
	if s.refused {
		return
	}
	for key, name := range map[string]string{"id": s.id, "name": s.name} {
		switch first := c.named[name]; {
		case name == "":
		case first != nil:
			s.say(Note, s.members[key], key, "%s:%d is named %q too: correlations mean that one", first.file, first.line, cut(clean(name), 80))
		default:
			c.named[name] = s
		}
	}
	switch {
	case s.members["action"] != nil:
		s.refuse(s.members["action"], "action", "collections of rules by action are not read: write each rule out")
	case s.members["filter"] != nil:
		s.refuse(s.members["filter"], "filter", "filters are not converted: write an exception for the rules that it names")
	case s.members["correlation"] != nil:
		c.claim(s)
	case s.members["detection"] == nil:
		s.refuse(nil, "", "it has neither a detection nor a correlation")
	case !s.isAudit():
	case s.status == "deprecated" || s.status == "unsupported":
		s.say(NotAskedOf, s.members["status"], "status", "the rule is %s", s.status)
	}
}

// claim notes the rules that make no finding of their own, because a correlation
// speaks for them.
func (c *converter) claim(s *source) {
	section := s.correlation()
	if section == nil {
		return
	}
	if v, ok := scalarOf(section["generate"].valueOrNil()); ok && v.text == "true" {
		return
	}
	for _, n := range elements(section["rules"].valueOrNil()) {
		if v, ok := scalarOf(n); ok {
			s.claims = append(s.claims, v.text)
		}
	}
}

// settle marks the rules that correlations speak for, when all are known.
func (c *converter) settle() {
	for _, s := range c.sources {
		for _, name := range s.claims {
			if of := c.reference(name); of != nil && of.members["correlation"] == nil {
				of.part = true
			}
		}
	}
}

// reference finds the rule that a correlation names, by its id or its name.
func (c *converter) reference(name string) *source {
	if s := c.named[name]; s != nil {
		return s
	}
	return c.named[strings.ToLower(name)]
}

// convert converts a document.
func (c *converter) convert(s *source) {
	switch {
	case s.refused || s.skipped:
	case s.members["correlation"] != nil:
		c.correlate(s)
	case s.part:
		c.detect(s)
		s.say(NotAskedOf, nil, "", "it is a part of a correlation, which speaks for it; generate: true there makes a rule of it too")
	default:
		c.single(s)
	}
}

// single converts a rule that stands for itself.
func (c *converter) single(s *source) {
	d := c.detect(s)
	if s.refused || s.dead {
		return
	}
	c.write(s, d.when, d.window)
}

// fresh returns an id that no other rule has.
func (c *converter) fresh(s *source) rules.RuleID {
	base := kebab(s.title)
	id := rules.RuleID(base)
	if c.taken[id] && isUUID(s.id) {
		base = shorten(base) + "-" + s.id[:8]
		id = rules.RuleID(base)
	}
	for i := 2; c.taken[id]; i++ {
		id = rules.RuleID(shorten(base) + "-" + strconv.Itoa(i))
	}
	c.taken[id] = true
	return id
}
