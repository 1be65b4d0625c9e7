package sigma

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// number converts a value of a field that is a number.
func (c *comparison) number(v scalar) *expression {
	s := c.field.subject
	switch c.match {
	case "":
		return c.numberIs(s, v)
	case "startswith":
		return c.digits(s, v.text+"*", v)
	case "lt", "lte", "gt", "gte":
		return c.ordered(s, v)
	default:
		c.source.refuse(v.node, c.label, "it is a number: %s makes no sense", c.match)
		return never
	}
}

// numberIs compares with a number.
func (c *comparison) numberIs(subject string, v scalar) *expression {
	if n, ok := integerOf(v.text); ok {
		return equals(subject, strconv.Itoa(n))
	}
	if strings.ContainsAny(v.text, "*?") {
		return c.digits(subject, v.text, v)
	}
	hint := ""
	if t := strings.ToLower(v.text); t == "allow" || t == "forbid" {
		hint = "; the decision is annotations.authorization.k8s.io/decision"
	}
	c.source.say(NeverTrue, v.node, c.label, "it is a number, never %q%s", cut(clean(v.text), 80), hint)
	return never
}

// digits converts the first digits of a number of three, as 4* and 40?.
func (c *comparison) digits(subject, text string, v scalar) *expression {
	if strings.Trim(text, "*") == "" {
		return c.present(v)
	}
	first := strings.TrimRight(text, "*?")
	from, ok := integerOf(first)
	width := len(text) - len(first)
	if !ok || len(first) > 2 || from < 1 || !strings.HasSuffix(text, "*") && len(first)+width != 3 {
		c.source.refuse(v.node, c.label, "a number is compared whole, or by its first digits as 4*: write it so, or with gte and lt")
		return never
	}
	size := int(math.Pow10(3 - len(first)))
	return and(
		test(fmt.Sprintf("%s >= %d", subject, from*size), ""),
		test(fmt.Sprintf("%s < %d", subject, (from+1)*size), ""),
	)
}

var orders = map[string]struct{ sign, inverse string }{
	"lt": {"<", ">="}, "lte": {"<=", ">"}, "gt": {">", "<="}, "gte": {">=", "<"},
}

// ordered compares with a bound.
func (c *comparison) ordered(subject string, v scalar) *expression {
	n, ok := integerOf(v.text)
	if !ok {
		c.source.refuse(v.node, c.label, "%s wants a whole number", c.match)
		return never
	}
	o := orders[c.match]
	return test(fmt.Sprintf("%s %s %d", subject, o.sign, n), fmt.Sprintf("%s %s %d", subject, o.inverse, n))
}

// integerOf reads a whole number that a condition can hold.
func integerOf(text string) (int, bool) {
	n, err := strconv.ParseInt(text, 10, 32)
	return int(n), err == nil
}
