package rules

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
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

// compileParts makes closures of what program does.
func (c *Condition) compileParts() error {
	tree, err := parser.Parse(c.text)
	if err != nil {
		return fromExpr(err, c.text)
	}
	parts := &closures{uses: map[string]*use{}}
	parts.rest = func(n ast.Node) closure {
		part, text, partErr := compilePart(n)
		c.machine = append(c.machine, text)
		err = errors.Join(err, partErr)
		return part
	}
	c.holds = parts.condition(tree.Node)
	c.parts, c.uses, c.needs = parts.parts, parts.uses, requirements(tree.Node)
	return err
}

// compilePart compiles a part of a condition, which has been checked as a whole,
// for the virtual machine. It returns its text, too.
func compilePart(n ast.Node) (closure, string, error) {
	text, err := textOf(n)
	if err != nil {
		return nil, text, err
	}
	binder := &binder{text: text}
	program, err := expr.Compile(text, options(binder)...)
	if err != nil {
		return nil, text, fromExpr(err, text)
	}
	fields := binder.used()
	return func(m *Machine) Truth { return m.run(program, fields) }, text, nil
}

// textOf writes a part of a condition; nothing walks it after that. What would be
// read as something else is a mistake.
func textOf(n ast.Node) (string, error) {
	meant := ast.Dump(n)
	ast.Walk(&n, visitor(spellOut))
	text := n.String()
	if tree, err := parser.Parse(text); err != nil || ast.Dump(tree.Node) != meant {
		return text, &conditionError{Line: 1, Message: fmt.Sprintf("%s cannot be told from its surroundings: write it in another way", text)}
	}
	return text, nil
}

// spelled is a node with a text of ours.
type spelled struct {
	ast.Node
	text string
}

func (s spelled) String() string { return s.text }

// spellOut mends what the expression language writes of its own nodes: it leaves
// out the parentheses of (a ? b : c)[0], and the point of 2.0.
func spellOut(node *ast.Node) {
	parentheses := func(of *ast.Node) {
		switch n := (*of).(type) {
		case *ast.ConditionalNode, *ast.BinaryNode, *ast.UnaryNode:
			*of = spelled{n, "(" + n.String() + ")"}
		}
	}
	switch n := (*node).(type) {
	case *ast.FloatNode:
		*node = spelled{n, strconv.FormatFloat(n.Value, 'e', -1, 64)}
	case *ast.MemberNode:
		parentheses(&n.Node)
	case *ast.SliceNode:
		parentheses(&n.Node)
	}
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

// binder replaces the vocabulary's dotted names by flat variables and by calls
// of the functions that make lazy fields. It makes access into the object
// optional: what is not there is nil.
type binder struct {
	text     string
	names    map[ast.Node]string // dotted names not yet bound
	bound    map[ast.Node]bool   // nodes that hold a part of the object
	seen     map[string]bool
	mistakes []error // names that there are not
}

func (b *binder) Visit(node *ast.Node) {
	if b.names == nil {
		b.names, b.bound, b.seen = map[ast.Node]string{}, map[ast.Node]bool{}, map[string]bool{}
	}
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		b.bind(node, n.Value)
	case *ast.MemberNode:
		b.member(node, n)
	}
}

func (b *binder) member(node *ast.Node, n *ast.MemberNode) {
	property, constant := n.Property.(*ast.StringNode)
	partOfObject := b.bound[n.Node]
	if name, ok := b.names[n.Node]; ok && constant {
		if b.bind(node, name+"."+property.Value) {
			return
		}
	}
	if partOfObject {
		n.Optional = true
		chain := &ast.ChainNode{Node: n}
		chain.SetLocation(n.Location())
		*node = chain
		b.bound[chain] = true
	}
}

// bind binds node if name is of the vocabulary, and remembers it if longer
// names begin with it. It reports whether name is either.
func (b *binder) bind(node *ast.Node, name string) bool {
	if strings.HasPrefix(name, internal) {
		b.refuse(*node, name, fmt.Sprintf("there is no name %q; 'klaxon rules fields' lists all", name))
		return false
	}
	field := lookup(name)
	if field != nil {
		b.seen[name] = true
		*node = b.reference(*node, field)
		b.bound[*node] = field.Name == "object"
	}
	prefix := isPrefix(name)
	if prefix {
		b.names[*node] = name
	}
	root, _, deeper := strings.Cut(name, ".")
	if field == nil && !prefix && deeper && lookup(root) == nil {
		b.refuse(*node, name, fmt.Sprintf("there is no field %q; %s", name, suggest(name)))
	}
	return field != nil || prefix
}

func (b *binder) refuse(n ast.Node, name, message string) {
	from := n.Location().From
	b.mistakes = append(b.mistakes, &conditionError{Line: lineOf(b.text, from), Column: columnOf(b.text, from), Snippet: name, Message: message})
}

func (b *binder) reference(old ast.Node, f *Field) ast.Node {
	var node ast.Node
	if f.get != nil {
		node = &ast.IdentifierNode{Value: flatName(f.Name)}
	} else {
		node = &ast.CallNode{
			Callee:    &ast.IdentifierNode{Value: functionName(f.Name)},
			Arguments: []ast.Node{&ast.IdentifierNode{Value: scopeName}},
		}
	}
	node.SetLocation(old.Location())
	return node
}

func (b *binder) used() []*Field {
	var fields []*Field
	for i := range vocabulary {
		if b.seen[vocabulary[i].Name] {
			fields = append(fields, &vocabulary[i])
		}
	}
	return fields
}

func isPrefix(name string) bool {
	return slices.ContainsFunc(vocabulary, func(f Field) bool { return strings.HasPrefix(f.Name, name+".") })
}

// suggest names what the writer may have meant.
func suggest(name string) string {
	root, last, _ := strings.Cut(name, ".")
	var same []string
	for i := range vocabulary {
		r, l, _ := strings.Cut(vocabulary[i].Name, ".")
		if last != "" && strings.EqualFold(l, last) || strings.EqualFold(vocabulary[i].Name, name) {
			return fmt.Sprintf("did you mean %q?", vocabulary[i].Name)
		}
		if r == root {
			same = append(same, vocabulary[i].Name)
		}
	}
	if len(same) > 0 {
		return "there are " + strings.Join(same, ", ")
	}
	return "'klaxon rules fields' lists all"
}

// guard refuses what is unbounded or has no place in a condition.
type guard struct {
	err error
}

func (g *guard) Visit(node *ast.Node) {
	if g.err != nil {
		return
	}
	switch n := (*node).(type) {
	case *ast.BinaryNode:
		g.binary(n)
	case *ast.BuiltinNode:
		if !slices.Contains(builtins, n.Name) {
			g.refuse(n, fmt.Sprintf("%s is not allowed in a condition; there are %s", n.Name, strings.Join(builtins, ", ")))
		}
	case *ast.CallNode:
		g.call(n)
	case *ast.VariableDeclaratorNode:
		g.refuse(n, "let is not allowed in a condition: write the expression out")
	case *ast.SequenceNode:
		g.refuse(n, "a condition is one expression, without ;")
	case *ast.PredicateNode:
		if depth(n, 0) > maxPredicates {
			g.refuse(n, fmt.Sprintf("predicates are nested deeper than %d", maxPredicates))
		}
	}
}

func (g *guard) binary(n *ast.BinaryNode) {
	switch n.Operator {
	case "..":
		g.refuse(n, "ranges are not allowed: a condition's cost must be bounded")
	case "matches":
		if s, ok := n.Right.(*ast.StringNode); !ok {
			g.refuse(n, "the pattern of matches must be a constant string")
		} else if steps := patternSteps(s.Value); steps > maxPatternSteps {
			g.refuse(n, fmt.Sprintf("the pattern has %d steps, at most %d are allowed: repeat less in it", steps, maxPatternSteps))
		}
	case "+", "-", "*", "/", "%", "^", "**":
		g.refuse(n, "arithmetic is not allowed in a condition")
	}
}

func (g *guard) call(n *ast.CallNode) {
	callee, _ := n.Callee.(*ast.IdentifierNode)
	if callee == nil || callee.Value != "inCIDR" || len(n.Arguments) != 2 {
		return
	}
	if s, ok := n.Arguments[1].(*ast.StringNode); !ok {
		g.refuse(n, "the range of inCIDR must be a constant string")
	} else if _, err := netip.ParsePrefix(s.Value); err != nil {
		g.refuse(n, fmt.Sprintf("%q is no range of addresses such as 10.0.0.0/8", cut(s.Value, 80)))
	}
}

// patternSteps returns how many steps a pattern makes of each byte at most; 0 for
// one that is none.
func patternSteps(pattern string) int {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return 0 // the compiler says what is wrong
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return 0
	}
	return len(program.Inst)
}

func (g *guard) refuse(n ast.Node, message string) {
	g.err = &guardError{node: n, message: message}
}

type guardError struct {
	node    ast.Node
	message string
}

func (e *guardError) Error() string { return e.message }

// depth counts the predicates that are nested in n, n included.
func depth(n ast.Node, level int) int {
	counter := &depthCounter{}
	ast.Walk(&n, counter)
	return level + counter.max
}

// depthCounter sees children before parents: the deepest predicate first.
type depthCounter struct {
	heights map[ast.Node]int
	max     int
}

func (d *depthCounter) Visit(node *ast.Node) {
	if _, ok := (*node).(*ast.PredicateNode); !ok {
		return
	}
	if d.heights == nil {
		d.heights = map[ast.Node]int{}
	}
	height := 1
	for inner, h := range d.heights {
		if contains(*node, inner) {
			height = max(height, h+1)
		}
	}
	d.heights[*node] = height
	d.max = max(d.max, height)
}

func contains(outer, inner ast.Node) bool {
	found := false
	ast.Walk(&outer, visitor(func(n *ast.Node) { found = found || *n == inner }))
	return found && outer != inner
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
