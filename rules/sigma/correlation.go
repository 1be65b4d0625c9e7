package sigma

import (
	"slices"
	"strings"

	"github.com/klaxon-dev/klaxon/rules"
)

// correlation returns the members of a correlation section, nil if it is none.
func (s *source) correlation() sections {
	n := s.members["correlation"]
	if !isMapping(n) {
		return nil
	}
	return section(s.mapping(n, "correlation"))
}

// correlated is a correlation that is being converted.
type correlated struct {
	*converter
	source  *source
	section sections
	rules   []*source
	names   []string // as the section has them
	window  *window
}

// correlate converts a correlation.
func (c *converter) correlate(s *source) {
	section := s.correlation()
	if section == nil {
		s.refuse(s.members["correlation"], "correlation", "want a mapping of keys to values")
		return
	}
	x := &correlated{converter: c, source: s, section: section, window: &window{}}
	kind := x.kind()
	x.span()
	if x.resolve(); len(x.rules) == 0 {
		return
	}
	x.group()
	var when *expression
	switch kind {
	case "event_count", "value_count":
		when = x.count(kind)
	case "temporal", "temporal_ordered":
		x.sequence(kind)
	}
	if !s.refused && !s.dead {
		c.write(s, when, x.window)
	}
}

func (x *correlated) refuse(key, format string, args ...any) {
	n := x.section[key].valueOrNil()
	if n == nil {
		n = x.source.members["correlation"]
	}
	x.source.refuse(n, "correlation."+key, format, args...)
}

// kinds are the types of correlations that are converted.
var kinds = []string{"event_count", "value_count", "temporal", "temporal_ordered"}

func (x *correlated) kind() string {
	v, _ := scalarOf(x.section["type"].valueOrNil())
	if !slices.Contains(kinds, v.text) {
		x.refuse("type", "%q is not converted: there are %s", cut(clean(v.text), 40), strings.Join(kinds, ", "))
	}
	return v.text
}

// resolve finds the rules that are correlated and converts their conditions.
func (x *correlated) resolve() {
	nodes := elements(x.section["rules"].valueOrNil())
	if len(nodes) == 0 || nodes[0] == nil || len(nodes) > maxSelections {
		x.refuse("rules", "want 1 to %d rules", maxSelections)
		return
	}
	for _, n := range nodes {
		v, _ := scalarOf(n)
		s, why := x.one(v.text)
		if why != "" {
			x.source.refuse(n, "correlation.rules", "%q %s", cut(clean(v.text), 80), why)
			continue
		}
		x.names = append(x.names, v.text)
		x.rules = append(x.rules, s)
	}
}

// one finds a rule and converts its condition; or it says what is wrong with it.
func (x *correlated) one(name string) (s *source, why string) {
	s = x.reference(name)
	switch {
	case s == nil:
		return nil, "is neither id nor name of a rule that was read"
	case s.members["correlation"] != nil:
		return nil, "is a correlation itself: a window is over single events"
	case s.foreign:
		return nil, "is for another log"
	}
	switch d := x.detect(s); {
	case s.refused:
		return nil, "is not converted: see there"
	case d.window != nil:
		return nil, "counts by itself: a window is over single events"
	}
	return s, ""
}

func (x *correlated) span() {
	n := x.section["timespan"].valueOrNil()
	if n == nil {
		x.refuse("timespan", "within which time? there is none")
		return
	}
	x.window.within = x.source.timespan(n, "correlation.timespan")
}

// count converts event_count and value_count.
func (x *correlated) count(kind string) *expression {
	w := x.window
	condition := x.bounds()
	for _, name := range []string{"gt", "gte", "eq", "neq", "lt", "lte"} {
		if m := condition[name]; m != nil {
			v, _ := scalarOf(m.value)
			w.atLeast = x.source.atLeast(m.at, "correlation.condition."+name, name, v.text)
		}
	}
	if w.atLeast == 0 {
		x.refuse("condition", "how many? want gte or gt")
	}
	if kind == "value_count" {
		x.values(condition)
	}
	var parts []*expression
	size := 0
	for _, s := range x.rules {
		parts = append(parts, s.detected.when)
		size += s.detected.when.size
	}
	if size > maxValues {
		x.refuse("rules", "they come to %d comparisons, a condition holds about %d: split the rule", size, maxValues)
		return never
	}
	when := or(parts...)
	if when.op == opFalse {
		x.die("no event is of any of its rules")
	}
	return when
}

func (x *correlated) die(why string) {
	x.source.dead = true
	x.source.say(NeverTrue, x.section["rules"].valueOrNil(), "correlation.rules", "%s: the rule can never fire", why)
}

// bounds returns the members of the condition.
func (x *correlated) bounds() sections {
	n := x.section["condition"].valueOrNil()
	switch {
	case n == nil:
		return nil
	case !isMapping(n):
		x.refuse("condition", "want a mapping such as gte: 10")
		return nil
	}
	return section(x.source.mapping(n, "correlation.condition"))
}

// values reads the field whose values are counted: in the condition, or beside
// it as older rules have it.
func (x *correlated) values(condition sections) {
	m := condition["field"]
	if m == nil {
		m = x.section["field"]
	}
	names := []string(nil)
	if m != nil {
		names = x.source.texts("correlation.condition.field", m.value)
	}
	if len(names) != 1 {
		x.refuse("condition", "the values of which field? want one, as field: objectRef.name")
		return
	}
	x.window.distinct = x.valueField(x.source, m.value, "correlation.condition.field", names[0])
}

// sequence converts temporal and temporal_ordered.
func (x *correlated) sequence(kind string) {
	w := x.window
	w.ordered = kind == "temporal_ordered"
	x.all()
	if len(x.rules) < 2 || len(x.rules) > rules.MaxSteps {
		x.refuse("rules", "want 2 to %d rules", rules.MaxSteps)
		return
	}
	for i, s := range x.rules {
		if s.detected.when.op == opFalse {
			x.die("no event is of rule " + quote(cut(clean(x.names[i]), 80)))
		}
		w.steps[i].name = cut(clean(x.names[i]), 80)
		w.steps[i].when = s.detected.when
	}
}

// all checks that a condition, where there is one, wants every rule.
func (x *correlated) all() {
	n := x.section["condition"].valueOrNil()
	if n == nil {
		return
	}
	if v, ok := scalarOf(n); ok {
		words := strings.Fields(v.text)
		joined := len(words) == 2*len(x.names)-1
		for i, word := range words {
			joined = joined && (i%2 == 1 && strings.EqualFold(word, "and") || i%2 == 0 && slices.Contains(x.names, word))
		}
		if !joined {
			x.refuse("condition", "only a condition that joins all its rules by and is converted: a sequence wants every step")
		}
		return
	}
	for name, m := range x.bounds() {
		v, _ := scalarOf(m.value)
		if at := x.source.atLeast(m.at, "correlation.condition."+name, name, v.text); at != len(x.names) {
			x.source.refuse(m.at, "correlation.condition."+name, "a sequence wants every step: %d of %d cannot be converted", at, len(x.names))
		}
	}
}

// group converts group-by and the aliases that it names. An alias is a field of
// each rule; each step of a sequence is joined by its own.
func (x *correlated) group() {
	names := x.source.texts("correlation.group-by", x.section["group-by"].valueOrNil())
	aliases := x.aliases()
	x.window.steps = make([]windowStep, len(x.rules))
	n := x.section["group-by"].valueOrNil()
	var per [][]string // by rule
	for i := range x.rules {
		fields := make([]string, len(names))
		for j, name := range names {
			fields[j] = name
			if alias := aliases[name]; alias != nil {
				fields[j] = x.aliased(alias, i, name)
			}
		}
		if i > 0 && len(aliases) == 0 {
			per = append(per, per[0])
			continue
		}
		per = append(per, x.keys(x.source, n, "correlation.group-by", fields))
	}
	x.window.by = per[0]
	for i := range per {
		if !slices.Equal(per[i], per[0]) {
			x.window.steps[i].by = per[i]
		}
	}
	x.sameKeys(per)
}

// sameKeys refuses what a window over one kind of event cannot join.
func (x *correlated) sameKeys(per [][]string) {
	kind, _ := scalarOf(x.section["type"].valueOrNil())
	counted := strings.HasSuffix(kind.text, "_count")
	for _, by := range per {
		if counted && !slices.Equal(by, per[0]) {
			x.refuse("aliases", "a window that counts has one set of fields to group by: only temporal correlations join different ones")
			return
		}
		if len(by) != len(per[0]) {
			x.refuse("group-by", "the rules are grouped by different numbers of fields")
			return
		}
	}
	if counted {
		x.window.steps = nil
	}
}

// aliases returns the fields that each alias stands for, by rule.
func (x *correlated) aliases() map[string]sections {
	n := x.section["aliases"].valueOrNil()
	if n == nil {
		return nil
	}
	out := map[string]sections{}
	for _, m := range x.source.mapping(n, "correlation.aliases") {
		out[m.key] = section(x.source.mapping(m.value, "correlation.aliases."+cut(clean(m.key), 80)))
	}
	return out
}

// aliased returns the field that an alias is in a rule.
func (x *correlated) aliased(alias sections, i int, name string) string {
	for _, key := range []string{x.names[i], x.rules[i].name, x.rules[i].id} {
		if v, ok := scalarOf(alias[key].valueOrNil()); ok && key != "" {
			return v.text
		}
	}
	x.refuse("aliases", "alias %q says nothing of rule %q", cut(clean(name), 80), cut(clean(x.names[i]), 80))
	return name
}
