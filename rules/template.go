package rules

import (
	"fmt"
	"strings"
)

// Template is a title with placeholders: "{actor.name} read {count} secrets".
// A placeholder is a scalar field of the vocabulary, of the finding's first
// event, or {count}.
type Template struct {
	text   string
	parts  []string // literal, placeholder, literal, …
	fields []*Field // one per placeholder; nil: count
}

// placeholderCount stands for how many distinct requests a finding counts.
const placeholderCount = "count"

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
		if name != placeholderCount && (field == nil || !field.scalar()) {
			return t, fmt.Errorf("{%s} is no field of every event; %s", name, suggest(name))
		}
		t.parts = append(t.parts, name)
		t.fields = append(t.fields, field)
		rest = tail
	}
}

// String returns the template as it was written.
func (t Template) String() string { return t.text }

// Values returns the text of each placeholder's field, "" for {count}.
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
func (t Template) Render(values []string, count int64) string {
	var b strings.Builder
	for i, part := range t.parts {
		switch {
		case i%2 == 0:
			b.WriteString(part)
		case t.fields[i/2] == nil:
			fmt.Fprint(&b, count)
		case i/2 < len(values):
			b.WriteString(values[i/2])
		}
	}
	return b.String()
}
