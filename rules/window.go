package rules

import (
	"cmp"
	"slices"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// WindowKind says what about the matches of a key makes a finding.
type WindowKind string

// The kinds of windows.
const (
	Count     WindowKind = "count"      // at_least distinct requests within
	Distinct  WindowKind = "distinct"   // at_least distinct values of a field within
	Sequence  WindowKind = "sequence"   // a match of each step within
	Absence   WindowKind = "absence"    // a match that nothing follows within
	FirstSeen WindowKind = "first_seen" // a value that the key had not shown while it was learned
)

// Bounds on windows.
const (
	MaxAtLeast  = 1_000
	MaxSteps    = 8
	MaxStreamed = 6 * time.Hour       // of within and suppress, for what runs in the stream
	MaxWithin   = 90 * 24 * time.Hour // of within and learn
	minWithin   = time.Second
	minLearn    = time.Hour
)

// Window says which matches of a key are a finding. The zero value is a count
// of at least one.
type Window struct {
	Kind    WindowKind
	AtLeast int           // count, distinct
	Value   *Field        // distinct, first_seen: whose values; sequence: what its ends differ in
	Within  time.Duration // the length of a stretch; 0 only where one match is enough
	Steps   []Step        // sequence: what happens; absence: what was expected to follow
	Ordered bool          // sequence: the steps come one after the other
	Until   *Step         // sequence: what ends one that has begun
	Learn   time.Duration // first_seen: for how long a key's values are learned
}

// Step is one of the things that a window is about.
type Step struct {
	Name string
	When *Condition
	By   []Field // as many as the rule has; the values are joined in order
}

// Part is one condition of a rule with the key that its matches have. A rule
// has a part for its condition, one for each step, and one for until.
type Part struct {
	When []*Condition // all must hold
	By   []Field
}

// Streamed reports whether the rule can be evaluated on a stream: what it needs
// of the past is held in memory.
func (r *Rule) Streamed() bool {
	return r.Window.Kind != FirstSeen && r.Window.Within <= MaxStreamed && r.Suppress <= MaxStreamed
}

// Lists reports whether the matches of a part are listed by a finding: not those
// that end a sequence, nor those whose absence is found.
func (r *Rule) Lists(part int) bool {
	switch r.Window.Kind {
	case Sequence:
		return part < len(r.Window.Steps)
	case FirstSeen:
		return true
	default:
		return part == 0
	}
}

// makeParts fills Parts in.
func (r *Rule) makeParts() {
	part := func(c *Condition, by []Field) {
		p := Part{By: by}
		for _, c := range []*Condition{r.When, c} {
			if c != nil {
				p.When = append(p.When, c)
			}
		}
		if len(by) == 0 {
			p.By = r.By
		}
		r.Parts = append(r.Parts, p)
	}
	switch w := &r.Window; w.Kind {
	case Sequence:
		for i := range w.Steps {
			part(w.Steps[i].When, w.Steps[i].By)
		}
		if w.Until != nil {
			part(w.Until.When, w.Until.By)
		}
	case Absence:
		part(nil, nil)
		// What follows is told by its own condition alone.
		r.Parts = append(r.Parts, Part{When: []*Condition{w.Steps[0].When}, By: w.Steps[0].By})
		if len(w.Steps[0].By) == 0 {
			r.Parts[1].By = r.By
		}
	default:
		part(nil, nil)
	}
}

// windowDecoder reads the window of a rule.
type windowDecoder struct {
	*decoder
	window  *Window
	by      *[]string
	given   map[string]ast.Node
	atLeast int
	learn   time.Duration
}

func (d *decoder) window(field string, n ast.Node, w *Window, by *[]string) {
	x := &windowDecoder{decoder: d, window: w, by: by, given: map[string]ast.Node{}}
	note := func(name string, read func(string, ast.Node)) func(string, ast.Node) {
		return func(field string, n ast.Node) { x.given[name] = n; read(field, n) }
	}
	d.mapping(n, field, fields{
		"by":         note("by", func(field string, n ast.Node) { *by = nil; d.texts(by)(field, n); d.by(field, n, *by) }),
		"at_least":   note("at_least", d.integer(&x.atLeast)),
		"within":     note("within", d.duration(&w.Within)),
		"distinct":   note("distinct", x.value),
		"first_seen": note("first_seen", x.value),
		"learn":      note("learn", d.duration(&x.learn)),
		"sequence":   note("sequence", x.steps),
		"ordered":    note("ordered", d.boolean(&w.Ordered)),
		"differ":     note("differ", x.value),
		"until":      note("until", func(field string, n ast.Node) { w.Until = &Step{}; x.step(field, n, w.Until) }),
		"absence":    note("absence", func(field string, n ast.Node) { w.Steps = []Step{{}}; x.step(field, n, &w.Steps[0]) }),
	})
	x.check(field, n)
}

// value reads the name of the field whose values a window looks at.
func (x *windowDecoder) value(field string, n ast.Node) {
	var name string
	x.text(&name)(field, n)
	f := lookup(name)
	switch {
	case f == nil:
		x.problem(n, field, "there is no field %q; %s", name, suggest(name))
	case !f.scalar():
		x.problem(n, field, "%s is no single value of every event", name)
	}
	x.window.Value = f
}

func (x *windowDecoder) steps(field string, n ast.Node) {
	x.sequence(n, field, func(field string, n ast.Node) {
		var s Step
		x.step(field, n, &s)
		x.window.Steps = append(x.window.Steps, s)
	})
	if len(x.window.Steps) < 2 || len(x.window.Steps) > MaxSteps {
		x.problem(n, field, "want 2 to %d steps", MaxSteps)
	}
}

func (x *windowDecoder) step(field string, n ast.Node, s *Step) {
	var by []string
	x.mapping(n, field, fields{
		"name": x.text(&s.Name),
		"when": x.condition(&s.When),
		"by": func(field string, n ast.Node) {
			x.texts(&by)(field, n)
			x.decoder.by(field, n, by)
		},
	})
	if s.When == nil {
		x.problem(n, field, "it needs a condition (when)")
	}
	for _, name := range by {
		if f := lookup(name); f != nil {
			s.By = append(s.By, *f)
		}
	}
}

// kinds are the members of a window that name its kind, with the others that go
// with it.
var kinds = map[WindowKind][]string{
	Distinct:  {"by", "within", "at_least"},
	Sequence:  {"by", "within", "ordered", "until", "differ"},
	Absence:   {"by", "within"},
	FirstSeen: {"by", "learn"},
	Count:     {"by", "within", "at_least"},
}

func (x *windowDecoder) check(field string, n ast.Node) {
	w := x.window
	w.Kind = Count
	for kind := range kinds {
		if kind != Count && x.given[string(kind)] != nil {
			if w.Kind != Count {
				x.problem(n, field, "a window has one kind: %s or %s", min(kind, w.Kind), max(kind, w.Kind))
				return
			}
			w.Kind = kind
		}
	}
	for name, n := range x.given {
		if name != string(w.Kind) && !slices.Contains(kinds[w.Kind], name) {
			x.problem(n, join(field, name), "a window of kind %s has none", w.Kind)
		}
	}
	if n := x.given["differ"]; n != nil && !w.Ordered {
		x.problem(n, join(field, "differ"), "only what is ordered has a first and a last step")
	}
	x.checkSizes(field, n)
	x.checkKeys(field, n)
}

func (x *windowDecoder) checkSizes(field string, n ast.Node) {
	w := x.window
	switch w.Kind {
	case Count, Distinct:
		w.AtLeast = x.atLeast
		switch at := x.given["at_least"]; {
		case at == nil && w.Kind == Distinct:
			x.problem(n, join(field, "at_least"), "how many values make a finding?")
		case at == nil:
			w.AtLeast = 1
		case w.AtLeast < 1 || w.AtLeast > MaxAtLeast:
			x.problem(at, join(field, "at_least"), "want 1 to %d", MaxAtLeast)
		}
	case FirstSeen:
		w.Learn = cmp.Or(x.learn, 14*24*time.Hour)
		if w.Learn < minLearn || w.Learn > MaxWithin {
			x.problem(x.given["learn"], join(field, "learn"), "want 1h to %s", shortDuration(MaxWithin))
		}
	}
	needed := w.Kind == Distinct || w.Kind == Sequence || w.Kind == Absence || w.AtLeast > 1
	switch within := x.given["within"]; {
	case within == nil && needed:
		x.problem(n, join(field, "within"), "within which time? such as 10m")
	case within == nil:
	case w.Kind == Count && w.AtLeast <= 1:
		x.problem(within, join(field, "within"), "one request is found whatever the time: name at_least, or leave it out")
	case w.Within < minWithin || w.Within > MaxWithin:
		x.problem(within, join(field, "within"), "want %v to %s", minWithin, shortDuration(MaxWithin))
	}
}

// checkKeys checks that what is joined has as many values.
func (x *windowDecoder) checkKeys(field string, n ast.Node) {
	steps := x.window.Steps
	if x.window.Until != nil {
		steps = append(steps[:len(steps):len(steps)], *x.window.Until)
	}
	for i := range steps {
		if by := steps[i].By; len(by) > 0 && len(by) != len(*x.by) {
			x.problem(n, field, "step %d is joined by %d fields, the window by %d: the values are joined in order", i+1, len(by), len(*x.by))
		}
	}
}
