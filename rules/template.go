package rules

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Template is a title with placeholders: "{actor.name} read {count} secrets".
// A placeholder is a scalar field of the vocabulary, of the finding's first
// event, or one of its amounts: {count}, {distinct}, {within}.
type Template struct {
	text   string
	parts  []string // literal, placeholder, literal, …
	fields []*Field // one per placeholder; nil: an amount
}

// Amounts are what a finding counts.
type Amounts struct {
	Count    int64         // distinct requests
	Distinct int64         // distinct values
	Within   time.Duration // of its window
}

// amounts are the placeholders that stand for them.
var amounts = map[string]func(Amounts) string{
	"count":    func(a Amounts) string { return strconv.FormatInt(a.Count, 10) },
	"distinct": func(a Amounts) string { return strconv.FormatInt(a.Distinct, 10) },
	"within":   func(a Amounts) string { return shortDuration(a.Within) },
}

// shortDuration writes 10m for 10m0s.
func shortDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

func parseTemplate(text string) (Template, error) {
	t := Template{text: text}
	rest := text
	for {
		literal, after, found := strings.Cut(rest, "{")
		t.parts = append(t.parts, literal)
		if !found {
			return t, nil
		}
		name, tail, closed := strings.Cut(after, "}")
		if !closed {
			return t, fmt.Errorf("{%s has no closing }", cut(after, 20))
		}
		field := lookup(name)
		if amounts[name] == nil && (field == nil || !field.scalar()) {
			return t, fmt.Errorf("{%s} is no field of every event; %s", name, suggest(name))
		}
		t.parts = append(t.parts, name)
		t.fields = append(t.fields, field)
		rest = tail
	}
}

// String returns the template as it was written.
func (t Template) String() string { return t.text }

// placeholders lists their names.
func (t Template) placeholders() []string {
	var names []string
	for i := 1; i < len(t.parts); i += 2 {
		names = append(names, t.parts[i])
	}
	return names
}

// Values returns the text of each placeholder's field, "" for an amount.
func (t Template) Values(s *Scope) []string {
	if len(t.fields) == 0 {
		return nil
	}
	values := make([]string, len(t.fields))
	for i, f := range t.fields {
		if f != nil {
			values[i] = cut(f.Text(s), maxTitleValue)
		}
	}
	return values
}

// maxTitleValue is how many characters of a field a title shows.
const maxTitleValue = 128

// Render fills the template in.
func (t Template) Render(values []string, a Amounts) string {
	var b strings.Builder
	for i, part := range t.parts {
		switch {
		case i%2 == 0:
			b.WriteString(part)
		case t.fields[i/2] == nil:
			b.WriteString(amounts[part](a))
		case i/2 < len(values):
			b.WriteString(values[i/2])
		}
	}
	return b.String()
}
