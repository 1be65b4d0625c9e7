package rules

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// definition is what gathering the matches of a rule into findings needs of it:
// all but its conditions. It travels with the matches, so that who gathers them
// need not have read the same files as who matched.
type definition struct {
	ID          RuleID         `json:"id"`
	Title       string         `json:"title"`
	Description string         `json:"description,omitempty"`
	Severity    Severity       `json:"severity"`
	ByEvent     bool           `json:"by_event,omitempty"` // matches say their severity
	Mode        Mode           `json:"mode,omitempty"`
	Tags        []string       `json:"tags,omitempty"`
	By          []string       `json:"by"`
	Suppress    string         `json:"suppress"`
	Window      windowMeasures `json:"window"`
}

type windowMeasures struct {
	Kind    WindowKind  `json:"kind"`
	AtLeast int         `json:"at_least,omitempty"`
	Value   string      `json:"value,omitempty"`
	Within  string      `json:"within,omitempty"`
	Steps   [][]string  `json:"steps,omitempty"` // what each is joined by
	Ordered bool        `json:"ordered,omitempty"`
	Until   *untilFound `json:"until,omitempty"`
}

type untilFound struct {
	By []string `json:"by"`
}

// Bounds of a definition, which comes with every match: characters of the
// description, and bytes of all.
const (
	maxDescribed  = 2 << 10
	maxDefinition = 32 << 10
)

// define writes the definition of a rule, nil where its texts are too long for one.
func define(r *Rule) []byte {
	d := definition{
		ID: r.ID, Title: r.Title.String(), Description: cut(r.Description, maxDescribed), Severity: r.Severity, ByEvent: len(r.Cases) > 0, Mode: r.Mode,
		Tags: r.Tags, By: names(r.By), Suppress: r.Suppress.String(),
		Window: windowMeasures{Kind: r.Window.Kind, AtLeast: r.Window.AtLeast, Within: r.Window.Within.String(), Ordered: r.Window.Ordered},
	}
	if r.Window.Value != nil {
		d.Window.Value = r.Window.Value.Name
	}
	for i := range r.Window.Steps {
		d.Window.Steps = append(d.Window.Steps, names(r.Window.Steps[i].By))
	}
	if r.Window.Until != nil {
		d.Window.Until = &untilFound{By: names(r.Window.Until.By)}
	}
	text, err := json.Marshal(&d)
	if err != nil {
		panic(err) // strings, numbers and bools always encode
	}
	if len(text) > maxDefinition {
		return nil
	}
	return text
}

func names(fields []Field) []string {
	all := make([]string, len(fields))
	for i := range fields {
		all[i] = fields[i].Name
	}
	return all
}

var errDefinition = errors.New("it is no definition of a rule that a stream can evaluate")

// ReadDefinition reads what [Rule.Definition] holds. The rule can gather matches,
// and match nothing: it has no conditions. What is out of bounds is refused.
func ReadDefinition(text []byte) (*Rule, error) {
	var d definition
	if len(text) > maxDefinition {
		return nil, fmt.Errorf("definition of %d bytes: %w", len(text), errDefinition)
	}
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, fmt.Errorf("definition: %w", err)
	}
	title, err := parseTemplate(d.Title)
	if err != nil {
		return nil, fmt.Errorf("definition: title: %w", err)
	}
	r := &Rule{ID: d.ID, Title: title, Description: d.Description, Severity: d.Severity, Mode: d.Mode, Tags: d.Tags, By: fieldsOf(d.By)}
	if d.ByEvent {
		r.Cases = []SeverityCase{{}}
	}
	var err1, err2 error
	r.Suppress, err1 = time.ParseDuration(d.Suppress)
	r.Window, err2 = d.Window.window()
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("definition: %w", err)
	}
	if !d.inBounds() || !r.gathers() {
		return nil, fmt.Errorf("definition: %w", errDefinition)
	}
	r.makeParts()
	r.Shape = shape(r)
	return r, nil
}

func (d *definition) inBounds() bool {
	return idPattern.MatchString(string(d.ID)) && len(d.ID) <= maxID && d.Severity.Rank() >= 0 && len(d.By) >= 1 && len(d.By) <= maxBy
}

// gathers reports whether a rule without conditions is one that a stream can
// evaluate.
func (r *Rule) gathers() bool {
	w := &r.Window
	if r.Suppress < 0 || w.Within < 0 || !r.Streamed() || r.Suppress == 0 && (w.Kind != Count || w.AtLeast > 1) {
		return false
	}
	if w.Kind != Sequence && (w.Ordered || w.Until != nil) {
		return false
	}
	counts := w.AtLeast >= 1 && w.AtLeast <= MaxAtLeast && len(w.Steps) == 0
	switch w.Kind {
	case Count:
		return counts && w.Value == nil && (w.AtLeast == 1 || w.Within > 0)
	case Distinct:
		return counts && w.Value != nil && w.Within > 0
	case Sequence:
		return len(w.Steps) >= 2 && len(w.Steps) <= MaxSteps && w.Within > 0 && (w.Value == nil || w.Ordered)
	case Absence:
		return len(w.Steps) == 1 && w.Value == nil && w.Within > 0
	default:
		return false
	}
}

// window is the reverse of what define writes.
func (m *windowMeasures) window() (w Window, err error) {
	w = Window{Kind: m.Kind, AtLeast: m.AtLeast, Ordered: m.Ordered}
	if w.Within, err = time.ParseDuration(m.Within); err != nil {
		return w, fmt.Errorf("within: %w", err)
	}
	if m.Value != "" {
		w.Value = &Field{Name: m.Value}
	}
	for _, by := range m.Steps {
		w.Steps = append(w.Steps, Step{By: fieldsOf(by)})
	}
	if m.Until != nil {
		w.Until = &Step{By: fieldsOf(m.Until.By)}
	}
	return w, nil
}

func fieldsOf(names []string) []Field {
	var all []Field
	for _, name := range names {
		all = append(all, Field{Name: name})
	}
	return all
}
