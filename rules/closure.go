package rules

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// closure is a part of a condition, compiled to Go.
type closure func(*Machine) Truth

// closures compiles the connectives of a condition and the comparisons that are
// common in rules. What it does not know it leaves to the virtual machine, one
// part at a time, so that the parts are joined by Kleene's logic all the same.
type closures struct {
	rest  func(ast.Node) closure // compiles for the virtual machine
	parts int                    // that went there
	uses  map[string]*use        // what strings and numbers are compared with, by field
}

// use says how conditions look at a field.
type use struct {
	constants map[string]struct{} // it is compared with these
	open      bool                // or looked at in another way
}

func (c *closures) condition(n ast.Node) closure {
	switch n := n.(type) {
	case *ast.BoolNode:
		value := truth(n.Value)
		return func(*Machine) Truth { return value }
	case *ast.UnaryNode:
		if n.Operator == "!" || n.Operator == "not" {
			return negation(c.condition(n.Node))
		}
	case *ast.ConditionalNode:
		return choice(c.condition(n.Cond), c.condition(n.Exp1), c.condition(n.Exp2))
	case *ast.BinaryNode:
		switch n.Operator {
		case "&&", "and":
			return conjunction(c.operands(n))
		case "||", "or":
			return disjunction(c.operands(n))
		}
	}
	if f := c.comparison(n); f != nil {
		return f
	}
	c.look(n)
	c.parts++
	return c.rest(n)
}

func negation(of closure) closure {
	return func(m *Machine) Truth { return of(m).not() }
}

// operands compiles what a chain of one connective joins. What the virtual
// machine has to do comes last: in this logic the order changes no truth.
func (c *closures) operands(n *ast.BinaryNode) []closure {
	var first, last []closure
	for _, operand := range chain(n) {
		parts := c.parts
		f := c.condition(operand)
		if c.parts > parts {
			last = append(last, f)
		} else {
			first = append(first, f)
		}
	}
	return append(first, last...)
}

// chain returns the operands of a && b && c.
func chain(n *ast.BinaryNode) []ast.Node {
	var operands []ast.Node
	for _, side := range []ast.Node{n.Left, n.Right} {
		if b, ok := side.(*ast.BinaryNode); ok && connective(b) == connective(n) {
			operands = append(operands, chain(b)...)
		} else {
			operands = append(operands, side)
		}
	}
	return operands
}

// connective returns && or || for a node that is one, else "".
func connective(n *ast.BinaryNode) string {
	switch n.Operator {
	case "&&", "and":
		return "&&"
	case "||", "or":
		return "||"
	default:
		return ""
	}
}

func conjunction(operands []closure) closure {
	return func(m *Machine) Truth {
		all := True
		for _, f := range operands {
			t := f(m)
			if t == False {
				return False
			}
			all = min(all, t)
		}
		return all
	}
}

func disjunction(operands []closure) closure {
	return func(m *Machine) Truth {
		one := False
		for _, f := range operands {
			t := f(m)
			if t == True {
				return True
			}
			one = max(one, t)
		}
		return one
	}
}

func choice(on, then, otherwise closure) closure {
	return func(m *Machine) Truth {
		switch on(m) {
		case True:
			return then(m)
		case False:
			return otherwise(m)
		}
		if a := then(m); a == otherwise(m) {
			return a
		}
		return Unknown
	}
}

// comparison compiles what looks at one field of every event; nil if n is
// something else.
func (c *closures) comparison(n ast.Node) closure {
	switch n := n.(type) {
	case *ast.IdentifierNode, *ast.MemberNode:
		if f := fieldOf(n); f != nil && f.flag != nil {
			return f.when(f.flag)
		}
	case *ast.BinaryNode:
		return c.binary(n)
	case *ast.BuiltinNode:
		return c.predicate(n)
	}
	return nil
}

func (c *closures) binary(n *ast.BinaryNode) closure {
	if f := fieldOf(n.Right); f != nil && f.list != nil && n.Operator == "in" {
		if s, ok := n.Left.(*ast.StringNode); ok {
			return f.when(func(scope *Scope) bool { return slices.Contains(f.list(scope), s.Value) })
		}
	}
	f := fieldOf(n.Left)
	switch {
	case f == nil:
		return nil
	case f.text != nil:
		return c.text(f, n)
	case f.number != nil:
		return c.number(f, n)
	default:
		return nil
	}
}

// text compiles a comparison of a string field with constants.
func (c *closures) text(f *Field, n *ast.BinaryNode) closure {
	if n.Operator == "in" {
		words, ok := stringsOf(n.Right)
		if !ok {
			return nil
		}
		c.compared(f.Name, words...)
		return f.when(among(f.text, words))
	}
	s, ok := n.Right.(*ast.StringNode)
	if !ok {
		return nil
	}
	test := textTest(n.Operator, s.Value)
	if test == nil {
		return nil
	}
	if n.Operator == "==" || n.Operator == "!=" {
		c.compared(f.Name, s.Value)
	} else {
		c.use(f.Name).open = true
	}
	text := f.text
	return f.when(func(scope *Scope) bool { return test(text(scope)) })
}

func textTest(operator, constant string) func(string) bool {
	switch operator {
	case "==":
		return func(s string) bool { return s == constant }
	case "!=":
		return func(s string) bool { return s != constant }
	case "startsWith":
		return func(s string) bool { return strings.HasPrefix(s, constant) }
	case "endsWith":
		return func(s string) bool { return strings.HasSuffix(s, constant) }
	case "contains":
		return func(s string) bool { return strings.Contains(s, constant) }
	case "matches":
		pattern, err := regexp.Compile(constant)
		if err != nil {
			return nil // the virtual machine's compiler says what is wrong
		}
		return pattern.MatchString
	default:
		return nil
	}
}

// fewWords is up to how many words are compared one by one.
const fewWords = 8

func among(text func(*Scope) string, words []string) func(*Scope) bool {
	if len(words) <= fewWords {
		return func(s *Scope) bool { return slices.Contains(words, text(s)) }
	}
	set := make(map[string]struct{}, len(words))
	for _, w := range words {
		set[w] = struct{}{}
	}
	return func(s *Scope) bool {
		_, found := set[text(s)]
		return found
	}
}

// number compiles a comparison of a number with constants.
func (c *closures) number(f *Field, n *ast.BinaryNode) closure {
	get := f.number
	if n.Operator == "in" {
		numbers, ok := numbersOf(n.Right)
		if !ok {
			return nil
		}
		for _, i := range numbers {
			c.compared(f.Name, strconv.Itoa(i))
		}
		return f.when(func(s *Scope) bool { return slices.Contains(numbers, get(s)) })
	}
	i, ok := n.Right.(*ast.IntegerNode)
	if !ok {
		return nil
	}
	test := numberTest(n.Operator, i.Value)
	if test == nil {
		return nil
	}
	if n.Operator == "==" || n.Operator == "!=" {
		c.compared(f.Name, strconv.Itoa(i.Value))
	} else {
		c.use(f.Name).open = true
	}
	return f.when(func(s *Scope) bool { return test(get(s)) })
}

func numberTest(operator string, constant int) func(int) bool {
	switch operator {
	case "==":
		return func(i int) bool { return i == constant }
	case "!=":
		return func(i int) bool { return i != constant }
	case "<":
		return func(i int) bool { return i < constant }
	case "<=":
		return func(i int) bool { return i <= constant }
	case ">":
		return func(i int) bool { return i > constant }
	case ">=":
		return func(i int) bool { return i >= constant }
	default:
		return nil
	}
}

func numbersOf(n ast.Node) ([]int, bool) {
	array, ok := n.(*ast.ArrayNode)
	if !ok {
		return nil, false
	}
	numbers := make([]int, len(array.Nodes))
	for i, element := range array.Nodes {
		number, ok := element.(*ast.IntegerNode)
		if !ok {
			return nil, false
		}
		numbers[i] = number.Value
	}
	return numbers, true
}

// predicate compiles any, all and none over a list of strings, where the
// predicate compares the element with constants.
func (c *closures) predicate(n *ast.BuiltinNode) closure {
	if len(n.Arguments) != 2 || n.Name != "any" && n.Name != "all" && n.Name != "none" {
		return nil
	}
	f := fieldOf(n.Arguments[0])
	body, ok := n.Arguments[1].(*ast.PredicateNode)
	if f == nil || f.list == nil || !ok {
		return nil
	}
	test := elementTest(body.Node)
	if test == nil {
		return nil
	}
	list := f.list
	switch n.Name {
	case "any":
		return f.when(func(s *Scope) bool { return slices.ContainsFunc(list(s), test) })
	case "none":
		return f.when(func(s *Scope) bool { return !slices.ContainsFunc(list(s), test) })
	default:
		return f.when(func(s *Scope) bool {
			return !slices.ContainsFunc(list(s), func(e string) bool { return !test(e) })
		})
	}
}

// elementTest compiles a predicate over a string; nil if it does not know it.
func elementTest(n ast.Node) func(string) bool {
	switch n := n.(type) {
	case *ast.UnaryNode:
		if test := elementTest(n.Node); test != nil && (n.Operator == "!" || n.Operator == "not") {
			return func(s string) bool { return !test(s) }
		}
	case *ast.BinaryNode:
		switch n.Operator {
		case "&&", "and", "||", "or":
			left, right := elementTest(n.Left), elementTest(n.Right)
			switch {
			case left == nil || right == nil:
				return nil
			case n.Operator == "&&" || n.Operator == "and":
				return func(s string) bool { return left(s) && right(s) }
			default:
				return func(s string) bool { return left(s) || right(s) }
			}
		}
		pointer, ok := n.Left.(*ast.PointerNode)
		if !ok || pointer.Name != "" {
			return nil
		}
		if n.Operator == "in" {
			words, ok := stringsOf(n.Right)
			if !ok {
				return nil
			}
			return func(s string) bool { return slices.Contains(words, s) }
		}
		if constant, ok := n.Right.(*ast.StringNode); ok {
			return textTest(n.Operator, constant.Value)
		}
	}
	return nil
}

// look notes the strings and numbers that a part reads which goes to the virtual
// machine: how it looks at them is not known here.
func (c *closures) look(n ast.Node) {
	ast.Walk(&n, visitor(func(n *ast.Node) {
		if f := fieldOf(*n); f != nil && (f.text != nil || f.number != nil) {
			c.use(f.Name).open = true
		}
	}))
}

func (c *closures) use(field string) *use {
	u := c.uses[field]
	if u == nil {
		u = &use{constants: map[string]struct{}{}}
		c.uses[field] = u
	}
	return u
}

func (c *closures) compared(field string, words ...string) {
	for _, w := range words {
		c.use(field).constants[w] = struct{}{}
	}
}

// fieldOf returns the field that a node of a condition as it was written names,
// nil if it names none.
func fieldOf(n ast.Node) *Field {
	name := dotted(n)
	if name == "" {
		return nil
	}
	return lookup(name)
}

func stringsOf(n ast.Node) ([]string, bool) {
	array, ok := n.(*ast.ArrayNode)
	if !ok {
		return nil, false
	}
	words := make([]string, len(array.Nodes))
	for i, element := range array.Nodes {
		s, ok := element.(*ast.StringNode)
		if !ok {
			return nil, false
		}
		words[i] = s.Value
	}
	return words, true
}
