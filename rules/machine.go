package rules

import (
	"errors"
	"fmt"

	"github.com/expr-lang/expr/vm"

	"github.com/klaxon-dev/klaxon/audit"
)

// Machine evaluates conditions on one event after the other. It is used by one
// goroutine.
type Machine struct {
	scope  *Scope
	hidden fieldSet // what is not known of the event
	err    error    // why a part of the condition at hand could not be evaluated

	vm     vm.VM
	env    map[string]any
	loaded fieldSet // in env
}

// NewMachine returns a machine.
func NewMachine() *Machine {
	m := &Machine{env: map[string]any{}}
	m.vm.MemoryBudget = memoryBudget
	return m
}

// Load makes s the event that Eval evaluates on.
func (m *Machine) Load(s *Scope) {
	m.scope = s
	m.hidden = hiddenIn(s.Event)
	m.loaded = fieldSet{}
	m.env[scopeName] = s
}

// Eval returns the truth of a condition on the loaded event. It is Unknown where
// the answer depends on what the event does not hold; with an error, where a part
// that the answer depends on cannot be evaluated on it.
func (m *Machine) Eval(c *Condition) (Truth, error) {
	m.err = nil
	t := c.holds(m)
	if t == Unknown && m.err != nil {
		return t, fmt.Errorf("evaluate %q: %w", cut(c.text, 60), m.err)
	}
	return t, nil
}

// run evaluates a program that reads no other fields than these.
func (m *Machine) run(program *vm.Program, fields []*Field) Truth {
	for _, f := range fields {
		if m.hidden.has(f.index) {
			return Unknown
		}
		if f.get != nil && !m.loaded.has(f.index) {
			m.env[flatName(f.Name)] = f.get(m.scope)
			m.loaded.add(f.index)
		}
	}
	out, err := m.vm.Run(program, m.env)
	if err != nil {
		if !errors.Is(err, audit.ErrUnknown) {
			m.err = err
		}
		return Unknown
	}
	holds, _ := out.(bool)
	return truth(holds)
}

// Whole evaluates a condition as one program of the expression language: what it
// means. Eval is held to it; it is slower, and cannot tell what it could where a
// part is unknown: its error then wraps audit.ErrUnknown.
func (m *Machine) Whole(c *Condition) (bool, error) {
	for _, f := range c.fields {
		if f.get != nil && !m.loaded.has(f.index) {
			m.env[flatName(f.Name)] = f.get(m.scope)
			m.loaded.add(f.index)
		}
	}
	out, err := m.vm.Run(c.program, m.env)
	holds, _ := out.(bool)
	return holds, err
}
