package sigma

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/klaxon-dev/klaxon/rules"
)

// window is the window of a converted rule.
type window struct {
	by       []string
	atLeast  int
	distinct string
	within   time.Duration
	steps    []windowStep
	ordered  bool
}

// windowStep is a step of a sequence.
type windowStep struct {
	name string
	when *expression
	by   []string // where its fields are not the window's
}

// aggregated is the form of an aggregation: count(field) by field > number.
var aggregated = regexp.MustCompile(`^\s*count\(\s*([^\s()]*)\s*\)\s*(?:by\s+([^\s()]+)\s*)?(>=|>|<=|<|==|=)\s*(\d{1,9})\s*$`)

// aggregation converts what old rules have behind a pipe in their condition.
func (c *converter) aggregation(s *source, n ast.Node, section sections, text string) *window {
	const field = "detection.condition"
	m := aggregated.FindStringSubmatch(text)
	if m == nil {
		s.refuse(n, field, "of aggregations only count(field) by field > number is converted: write a correlation")
		return nil
	}
	operator := map[string]string{">": "gt", ">=": "gte", "<": "lt", "<=": "lte", "=": "eq", "==": "eq"}[m[3]]
	w := &window{by: []string{"cluster"}}
	w.atLeast = s.atLeast(n, field, operator, m[4])
	if m[2] != "" {
		w.by = c.keys(s, n, field, []string{m[2]})
	}
	if m[1] != "" {
		w.distinct = c.valueField(s, n, field, m[1])
	}
	frame := section["timeframe"].valueOrNil()
	if frame == nil {
		s.refuse(n, field, "within which time? there is no timeframe")
		return w
	}
	w.within = s.timespan(frame, "detection.timeframe")
	return w
}

// atLeast converts a bound on a count. A window finds that there are at least so
// many: it cannot find that there are no more.
func (s *source) atLeast(n ast.Node, field, operator, number string) int {
	count, err := strconv.Atoi(number)
	if err != nil {
		s.refuse(n, field, "%s wants a whole number", operator)
		return 0
	}
	switch operator {
	case "gte":
	case "gt":
		count++
	case "eq", "neq", "lt", "lte":
		s.refuse(n, field, "%s cannot be converted: a window finds at least so many, whatever comes after: use gte", operator)
	default:
		s.refuse(n, field, "%q is no bound: want gte or gt", cut(clean(operator), 40))
	}
	if count < 1 || count > rules.MaxAtLeast {
		s.refuse(n, field, "want at least 1 to %d, not %d", rules.MaxAtLeast, count)
	}
	return count
}

// timespan reads a length of time: 90s, 10m, 6h, 7d.
func (s *source) timespan(n ast.Node, field string) time.Duration {
	v, _ := scalarOf(n)
	text := strings.TrimSpace(v.text)
	units := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour}
	if text != "" {
		number, err := strconv.ParseUint(text[:len(text)-1], 10, 31)
		unit := units[text[len(text)-1:]]
		if err == nil && unit > 0 && number > 0 && time.Duration(number) <= rules.MaxWithin/unit {
			within := time.Duration(number) * unit
			if within > rules.MaxStreamed {
				s.say(Note, n, field, "a window of more than %s is not evaluated in the stream, only over files", duration(rules.MaxStreamed))
			}
			return within
		}
	}
	s.refuse(n, field, "want a length of time such as 90s, 10m, 6h or 7d, of at most %d days", rules.MaxWithin/(24*time.Hour))
	return 0
}

// keys converts the fields that findings are grouped by. Those of two clusters
// are never in one group.
func (c *converter) keys(s *source, n ast.Node, field string, names []string) []string {
	by := []string{"cluster"}
	for _, name := range names {
		if key := c.valueField(s, n, field, name); key != "" && key != "cluster" {
			by = append(by, key)
		}
	}
	return by
}

// valueField converts a field that must have one value of every event.
func (c *converter) valueField(s *source, n ast.Node, field, name string) string {
	f, hint := c.vocabulary.lookup(name)
	key := f.key()
	switch {
	case f.holds == noType:
		s.refuse(n, field, "audit events have no field %q: %s", cut(clean(name), 80), hint)
	case key == "":
		s.refuse(n, field, "%q has no single value in every event: events cannot be grouped or counted by it", cut(clean(name), 80))
	case f.address && key == "sourceIP.client" && len(f.lists) > 0:
		s.say(Note, n, field, "sourceIPs is a list: sourceIP.client, the address that the API server saw, stands for it")
	}
	return key
}
