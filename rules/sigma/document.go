package sigma

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/klaxon-dev/klaxon/rules"
)

// Bounds on what is taken over of a rule's words.
const (
	maxDescription = 4_000
	maxTags        = 50
	maxWords       = 500 // of one false positive, one reference
)

// write makes the document of a converted rule and checks that it is one.
func (c *converter) write(s *source, when *expression, w *window) {
	severity := s.severity()
	id := c.fresh(s)
	var b strings.Builder
	fmt.Fprintf(&b, "id: %s\n", id)
	fmt.Fprintf(&b, "title: %s\n", quote(s.heading()))
	writeText(&b, "description", s.description())
	fmt.Fprintf(&b, "severity: %s\n", severity)
	if tags := s.tags(); len(tags) > 0 {
		fmt.Fprintf(&b, "tags: [%s]\n", strings.Join(tags, ", "))
	}
	if when != nil {
		writeCondition(&b, "", when)
	}
	w.write(&b)
	if positives := s.texts("falsepositives", s.members["falsepositives"]); len(positives) > 0 {
		b.WriteString("false_positives:\n")
		for _, p := range positives {
			fmt.Fprintf(&b, "  - %s\n", quote(cut(clean(p), maxWords)))
		}
	}
	if s.refused {
		return
	}
	s.rule, s.document = id, b.String()
	s.check(when, w)
}

// check reads the document as rules are read.
func (s *source) check(when *expression, w *window) {
	parsed, problems := rules.Parse(s.file, []byte(s.document), rules.OriginUser)
	problems = append(problems, rules.Lint(&rules.Set{Rules: parsed})...)
	for _, p := range problems.Errors() {
		s.refuse(nil, "", "what it comes to is no rule: %s: %s", p.Field, p.Message)
	}
	switch {
	case s.refused:
	case len(parsed) != 1:
		s.refuse(nil, "", "what it comes to is %d rules", len(parsed))
	case !sameConditions(parsed[0], when, w):
		s.refuse(nil, "", "its condition cannot be written as YAML")
	}
}

// sameConditions reports whether a rule was read as it was meant.
func sameConditions(r *rules.Rule, when *expression, w *window) bool {
	if when != nil && r.When.String() != when.String() {
		return false
	}
	for i, step := range r.Window.Steps {
		if step.When.String() != w.steps[i].when.String() {
			return false
		}
	}
	return true
}

// heading returns the rule's title. Braces would name fields of the event.
func (s *source) heading() string {
	if s.title == "" {
		return "Sigma rule without a title"
	}
	return strings.NewReplacer("{", "(", "}", ")").Replace(s.title)
}

// description returns what the rule says of itself, its author and where it
// comes from.
func (s *source) description() string {
	parts := []string{cut(clean(s.text("description")), maxDescription)}
	var origin string
	if author := s.text("author"); author != "" {
		origin += "Sigma rule by " + cut(clean(author), maxWords) + "."
	}
	if license := s.text("license"); license != "" {
		origin += " License: " + cut(clean(license), 100) + "."
	}
	parts = append(parts, strings.TrimSpace(origin))
	for i, r := range s.texts("references", s.members["references"]) {
		if i < 20 {
			parts = append(parts, "See "+cut(clean(r), maxWords))
		}
	}
	var lines []string
	for _, p := range parts {
		for line := range strings.Lines(p) {
			if line = strings.Join(strings.Fields(line), " "); line != "" {
				lines = append(lines, line)
			}
		}
	}
	return strings.Join(lines, "\n")
}

// severities are the levels of Sigma.
var severities = map[string]rules.Severity{
	"informational": rules.Info, "low": rules.Low, "medium": rules.Medium, "high": rules.High, "critical": rules.Critical,
}

func (s *source) severity() rules.Severity {
	level := s.text("level")
	severity, known := severities[strings.ToLower(level)]
	switch {
	case known:
		return severity
	case level == "":
		s.say(Note, nil, "level", "there is none: the severity is medium")
	default:
		s.say(Note, s.members["level"], "level", "%q is none: the severity is medium", cut(clean(level), 40))
	}
	return rules.Medium
}

var plainTag = regexp.MustCompile(`^[a-z]+\.[a-z0-9._-]*[a-z0-9]$`)

// tags returns the rule's tags and one that names it.
func (s *source) tags() []string {
	tags := s.texts("tags", s.members["tags"])
	if len(tags) > maxTags {
		tags = tags[:maxTags]
		s.say(Note, s.members["tags"], "tags", "the first %d are kept", maxTags)
	}
	if isUUID(s.id) {
		tags = append(tags, "sigma."+s.id)
	}
	for i, t := range tags {
		t = strings.ToLower(cut(clean(t), 100))
		if !plainTag.MatchString(t) {
			t = quote(t)
		}
		tags[i] = t
	}
	return tags
}

// write writes the window, where there is more to it than one event.
func (w *window) write(b *strings.Builder) {
	if w == nil {
		return
	}
	b.WriteString("window:\n")
	fmt.Fprintf(b, "  by: [%s]\n", strings.Join(w.by, ", "))
	switch {
	case w.distinct != "":
		fmt.Fprintf(b, "  distinct: %s\n  at_least: %d\n", w.distinct, w.atLeast)
	case w.atLeast > 1:
		fmt.Fprintf(b, "  at_least: %d\n", w.atLeast)
	}
	if w.atLeast != 1 || w.distinct != "" {
		fmt.Fprintf(b, "  within: %s\n", duration(w.within))
	}
	if len(w.steps) == 0 {
		return
	}
	if w.ordered {
		b.WriteString("  ordered: true\n")
	}
	b.WriteString("  sequence:\n")
	for _, s := range w.steps {
		fmt.Fprintf(b, "    - name: %s\n", quote(s.name))
		if len(s.by) > 0 {
			fmt.Fprintf(b, "      by: [%s]\n", strings.Join(s.by, ", "))
		}
		writeCondition(b, "      ", s.when)
	}
}

// writeCondition writes a condition as a folded block.
func writeCondition(b *strings.Builder, indent string, e *expression) {
	fmt.Fprintf(b, "%swhen: >-\n", indent)
	for _, line := range e.lines() {
		fmt.Fprintf(b, "%s  %s\n", indent, line)
	}
}

// writeText writes a text of several lines as a block.
func writeText(b *strings.Builder, key, text string) {
	switch {
	case text == "":
	case !strings.Contains(text, "\n"):
		fmt.Fprintf(b, "%s: %s\n", key, quote(text))
	default:
		fmt.Fprintf(b, "%s: |-\n  %s\n", key, strings.ReplaceAll(text, "\n", "\n  "))
	}
}

// quote writes a text in double quotes, as both YAML and expressions read it.
func quote(s string) string { return strconv.Quote(s) }

// duration writes 10m for 10m0s.
func duration(d time.Duration) string {
	switch {
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	default:
		return fmt.Sprintf("%ds", d/time.Second)
	}
}
