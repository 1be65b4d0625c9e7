package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
)

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
