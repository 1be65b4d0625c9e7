package rules

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"
)

// Bounds on a condition.
const (
	maxConditionBytes = 8 << 10
	maxConditionNodes = 500
	maxPredicates     = 2 // any(containers, any(.capabilities, …))
	maxPatternSteps   = 2_000
	memoryBudget      = 100_000
)

// Condition is a compiled expression over one event. It does not change and is
// safe for concurrent use, each goroutine with a Machine of its own.
type Condition struct {
	text    string
	program *vm.Program // the whole of it: what the condition means
	holds   closure     // the same by parts, which knows what is unknown
	parts   int         // of holds that are left to the virtual machine
	uses    map[string]*use
	needs   []requirement
	fields  []*Field // all that it reads
	machine []string // the text of the parts that are left to the virtual machine

	place func(offset int) (line, column int) // of the text in its file; nil outside of one
}

// String returns the condition as it was written.
func (c *Condition) String() string { return c.text }

// Fields returns what the condition reads, in the vocabulary's order.
func (c *Condition) Fields() []*Field { return c.fields }

// problem is one at a part of the condition; nil is the whole of it.
func (c *Condition) problem(n ast.Node, message string) Problem {
	p := Problem{Line: 1, Column: 1, Text: c.text, Message: message}
	offset := 0
	if n != nil {
		offset = n.Location().From
		p.Text = n.String()
	}
	if c.place != nil {
		p.Line, p.Column = c.place(offset)
	}
	return p
}

// conditionError is a mistake in a condition: Line from 1, Column from 0, both
// of the condition's own text.
type conditionError struct {
	Line, Column int
	Snippet      string
	Message      string
}

func (e *conditionError) Error() string { return e.Message }

// compileCondition parses, checks and compiles text.
func compileCondition(text string) (*Condition, error) {
	if len(text) > maxConditionBytes {
		return nil, &conditionError{Line: 1, Message: fmt.Sprintf("the condition has %d bytes, at most %d are allowed", len(text), maxConditionBytes)}
	}
	binder := &binder{text: text}
	guard := &guard{}
	program, err := expr.Compile(text, options(binder, guard)...)
	if found := errors.Join(errors.Join(binder.mistakes...), guard.err); found != nil {
		return nil, found
	}
	if err != nil {
		return nil, fromExpr(err, text)
	}
	c := &Condition{text: text, program: program, fields: binder.used()}
	return c, c.compileParts()
}

// builtins are the functions of the expression language that conditions may
// use: their cost is bounded by the event's size.
var builtins = []string{"any", "all", "none", "one", "count", "len", "lower", "upper", "trim", "hasPrefix", "hasSuffix"}

func options(visitors ...ast.Visitor) []expr.Option {
	opts := []expr.Option{expr.Env(environment()), expr.AsBool(), expr.MaxNodes(maxConditionNodes), expr.DisableAllBuiltins()}
	for _, name := range builtins {
		opts = append(opts, expr.EnableBuiltin(name))
	}
	for i := range vocabulary {
		if f := &vocabulary[i]; f.lazy != nil {
			signature := reflect.New(reflect.FuncOf([]reflect.Type{reflect.TypeFor[*Scope]()}, []reflect.Type{reflect.TypeOf(f.zero)}, false))
			opts = append(opts, expr.Function(functionName(f.Name), func(params ...any) (any, error) {
				return f.lazy(params[0].(*Scope))
			}, signature.Interface()))
		}
	}
	opts = append(opts,
		expr.Function("publicIP", func(params ...any) (any, error) { return publicIP(params[0].(string)), nil }, publicIP),
		expr.Function("inCIDR", func(params ...any) (any, error) { return inCIDR(params[0].(string), params[1].(string)) }, new(func(string, string) bool)),
		expr.Function("items", func(params ...any) (any, error) { return items(params[0]), nil }, items),
	)
	for _, v := range visitors {
		opts = append(opts, expr.Patch(v))
	}
	return opts
}

// What conditions are compiled to has names that they cannot spell: those, and
// the expression language's $env, begin with a dollar.
const (
	internal  = "$"
	scopeName = internal + "scope" // the variable that lazy fields get the event from
)

func flatName(name string) string     { return internal + strings.ReplaceAll(name, ".", "_") }
func functionName(name string) string { return internal + "get_" + strings.ReplaceAll(name, ".", "_") }

// environment is what conditions are type-checked against: one flat map.
func environment() map[string]any {
	env := map[string]any{scopeName: (*Scope)(nil)}
	for i := range vocabulary {
		if f := &vocabulary[i]; f.get != nil {
			env[flatName(f.Name)] = f.zero
		}
	}
	return env
}

// publicIP reports whether ip is an address of the public Internet.
func publicIP(ip string) bool {
	a, err := netip.ParseAddr(ip)
	if err != nil {
		return false
	}
	a = a.Unmap()
	return a.IsGlobalUnicast() && !a.IsPrivate() && !sharedAddresses.Contains(a)
}

// sharedAddresses are those of carrier-grade NAT (RFC 6598).
var sharedAddresses = netip.MustParsePrefix("100.64.0.0/10")

func inCIDR(ip, cidr string) (bool, error) {
	prefix, err := netip.ParsePrefix(cidr)
	if err != nil {
		return false, err
	}
	a, err := netip.ParseAddr(ip)
	return err == nil && prefix.Contains(a.Unmap()), nil
}

// items returns v as a list: nil and anything else as an empty one.
func items(v any) []any {
	l, _ := v.([]any)
	return l
}

type visitor func(*ast.Node)

func (v visitor) Visit(n *ast.Node) { v(n) }

func fromExpr(err error, text string) error {
	var at *file.Error
	if !errors.As(err, &at) {
		return &conditionError{Line: 1, Message: err.Error()}
	}
	return &conditionError{Line: at.Line, Column: at.Column, Snippet: snippet(text, at.Line, at.Column), Message: cleanMessage(at.Message)}
}

// cleanMessage takes the inner spelling of names out of a message.
func cleanMessage(m string) string {
	for i := range vocabulary {
		m = strings.ReplaceAll(m, functionName(vocabulary[i].Name), vocabulary[i].Name)
		m = strings.ReplaceAll(m, flatName(vocabulary[i].Name), vocabulary[i].Name)
	}
	return m
}

func snippet(text string, line, column int) string {
	lines := strings.Split(text, "\n")
	if line < 1 || line > len(lines) {
		return ""
	}
	r := []rune(lines[line-1])
	return string(r[min(column, len(r)):])
}

func lineOf(text string, offset int) int {
	r := []rune(text)
	return 1 + strings.Count(string(r[:min(offset, len(r))]), "\n")
}

func columnOf(text string, offset int) int {
	r := []rune(text)
	before := string(r[:min(offset, len(r))])
	return len([]rune(before[strings.LastIndexByte(before, '\n')+1:]))
}
