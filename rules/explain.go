package rules

import (
	"maps"
	"slices"

	"github.com/klaxon-dev/klaxon/audit"
)

// Explanation says how a rule is evaluated and what it needs.
type Explanation struct {
	Parts  []PartExplanation `json:"parts"`
	Fields []FieldNeed       `json:"fields"` // that decide, in the vocabulary's order
	Blind  []string          `json:"blind_to"`
	Evaded []string          `json:"known_evasions"`
}

// Tier says what evaluates a condition on the events that the index brings to it.
type Tier string

// The tiers.
const (
	TierClosures Tier = "closures"                     // all of it is compiled to Go
	TierMachine  Tier = "closures and virtual machine" // some parts are left to the expression language
)

// PartExplanation is about one of the conditions of a rule.
type PartExplanation struct {
	Name       string       `json:"name"` // as "when" or "window.sequence[1]"
	Tier       Tier         `json:"tier"`
	Machine    []string     `json:"machine"`    // what is left to the virtual machine
	Candidate  []Constraint `json:"candidate"`  // which events the index brings to it
	Requires   []Constraint `json:"requires"`   // what else is compared first
	Conditions []string     `json:"conditions"` // all must hold
}

// Constraint says which values of a field are looked at: those of one of its lists.
type Constraint struct {
	Field  string   `json:"field"`
	In     []string `json:"in,omitempty"`
	NotIn  []string `json:"not_in,omitempty"`      // all but these
	Begins []string `json:"begins_with,omitempty"` // those that begin with one of these
	Holds  []string `json:"holds,omitempty"`       // lists that hold one of these
}

// constraint says what is required of a field.
func (r *requirement) constraint() Constraint {
	c := Constraint{Field: r.field.Name}
	switch {
	case r.field.list != nil:
		c.Holds = r.words
	case r.prefix:
		c.Begins = r.words
	default:
		c.In = r.words
	}
	return c
}

// FieldNeed is a field with the least audit level at which it is recorded.
type FieldNeed struct {
	Field string `json:"field"`
	Level string `json:"level"`
	Note  string `json:"note,omitempty"`
}

// Explain says how a rule is evaluated and what it needs.
func Explain(r *Rule) Explanation {
	var e Explanation
	for i := range r.Parts {
		e.Parts = append(e.Parts, explainPart(r, i))
	}
	e.Fields = needs(r)
	e.Blind = blindTo(r, e.Fields)
	for _, at := range r.conditions() {
		for _, p := range evasions(at.condition, at.joined) {
			e.Evaded = append(e.Evaded, at.field+": "+p.Message)
		}
	}
	return e
}

func explainPart(r *Rule, number int) PartExplanation {
	p := PartExplanation{Name: r.partName(number), Tier: TierClosures}
	when := r.Parts[number].When
	for _, c := range when {
		p.Conditions = append(p.Conditions, c.text)
		p.Machine = append(p.Machine, c.machine...)
		for _, need := range c.needs {
			if unlessOutlined.has(need.field.index) {
				p.Requires = append(p.Requires, need.constraint())
			}
		}
	}
	if len(p.Machine) > 0 {
		p.Tier = TierMachine
	}
	for i, f := range outlinedTexts {
		if c, any := textConstraint(when, f, i); !any {
			p.Candidate = append(p.Candidate, c)
		}
	}
	for _, f := range outlinedFlags {
		if c, any := flagConstraint(when, f); !any {
			p.Candidate = append(p.Candidate, c)
		}
	}
	return p
}

// partName says where in the rule a part stands.
func (r *Rule) partName(number int) string {
	if w := &r.Window; w.Kind == Sequence || w.Kind == Absence && number > 0 {
		stands := r.conditions()
		if r.When != nil {
			stands = stands[1:]
		}
		if w.Kind == Absence {
			number--
		}
		return stands[number].field
	}
	return "when"
}

// textConstraint asks the conditions, with all but one field unknown, about each
// value that they or the API tell apart.
func textConstraint(when []*Condition, f *Field, outlined int) (c Constraint, any bool) {
	told := map[string]struct{}{}
	open := false
	for _, condition := range when {
		if u := condition.uses[f.Name]; u != nil {
			open = open || u.open
			maps.Copy(told, u.constants)
		}
	}
	known := values[f.Name]
	if open && known == nil {
		return c, true // looked at by pattern: it may be anything
	}
	for _, v := range known {
		told[v] = struct{}{}
	}
	c.Field = f.Name
	other := known == nil && mayHold(when, f, func(o *outline) { o.texts[outlined] = otherValue })
	for _, v := range slices.Sorted(maps.Keys(told)) {
		holds := mayHold(when, f, func(o *outline) { o.texts[outlined] = v })
		switch {
		case holds && !other:
			c.In = append(c.In, v)
		case !holds && other:
			c.NotIn = append(c.NotIn, v)
		}
	}
	if other {
		return c, len(c.NotIn) == 0
	}
	return c, known != nil && len(c.In) == len(told)
}

func flagConstraint(when []*Condition, f *Field) (c Constraint, any bool) {
	c.Field = f.Name
	for value, word := range map[bool]string{false: "false", true: "true"} {
		if mayHold(when, f, func(o *outline) { o.flags[slices.Index(outlinedFlags, f)] = value }) {
			c.In = append(c.In, word)
		}
	}
	return c, len(c.In) == 2
}

// mayHold reports whether the conditions may hold on an event of which only one
// field is known.
func mayHold(when []*Condition, f *Field, set func(*outline)) bool {
	var o outline
	set(&o)
	m := NewMachine()
	m.Load(o.scope())
	m.hidden = allBut([]*Field{f})
	return !slices.ContainsFunc(when, func(c *Condition) bool { return c.holds(m) == False })
}

// scope returns an event of an outline.
func (o outline) scope() *Scope {
	e := &audit.Event{Verb: o.texts[0]}
	e.ObjectRef.Resource, e.ObjectRef.Subresource = o.texts[1], o.texts[2]
	switch {
	case o.flags[0]:
		e.ResponseStatus.Code = 200
	case o.flags[1]:
		e.ResponseStatus.Code = 403
	default:
		e.ResponseStatus.Code = 500
	}
	s := &Scope{Event: e}
	s.actor = lazy[audit.Actor]{done: true, value: audit.Actor{Kind: audit.ActorKind(o.texts[3]), Controller: o.flags[2], Impersonating: o.flags[3]}}
	return s
}

// needs lists what a rule reads of events.
func needs(r *Rule) []FieldNeed {
	var used fieldSet
	for _, at := range r.conditions() {
		for _, f := range at.condition.fields {
			used.add(f.index)
		}
	}
	if v := r.Window.Value; v != nil {
		used.add(v.index)
	}
	for i := range r.By {
		used.add(r.By[i].index)
	}
	for i := range r.Parts {
		for _, f := range r.Parts[i].By {
			used.add(f.index)
		}
	}
	var all []FieldNeed
	for i := range vocabulary {
		if !used.has(i) {
			continue
		}
		need := FieldNeed{Field: vocabulary[i].Name, Level: audit.LevelMetadata}
		if vocabulary[i].Body {
			need.Level = audit.LevelRequest
			need.Note = audit.LevelRequestResponse + " for patch, and for what the API server fills in"
		}
		all = append(all, need)
	}
	return all
}

// blindTo says on which events a rule cannot tell, or is not asked.
func blindTo(r *Rule, fields []FieldNeed) []string {
	blind := []string{
		"requests whose level in the audit policy is None",
		"events so large that what decides was left out",
	}
	for _, f := range fields {
		switch {
		case f.Level != audit.LevelMetadata:
			blind = append(blind, "events without the object, for "+f.Field+": recorded at Metadata, patched without the response, or truncated")
		case f.Field == "stage":
			blind = append(blind, "stages that the audit policy omits")
		case f.Field == "credential.id" || f.Field == "actor.pod" || f.Field == "credential.issued":
			blind = append(blind, "credentials without an id, for "+f.Field+": tokens of older API servers, and authenticators that give none")
		}
	}
	if !r.Streamed() {
		blind = append(blind, "the stream: it looks further back than serve does; 'klaxon scan' evaluates it")
	}
	return blind
}
