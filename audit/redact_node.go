package audit

import (
	"bytes"
	"strings"
)

// node is a place in the tree of a resource's paths.
type node struct {
	fields   map[string]*node
	every    *node // every field
	elements *node // every element of a list
	secret   bool  // what is here and below
	root     *node // a string here is the text of an object, which begins there
	sets     bool  // names of fields here may hold elements of sets (managedFields)
}

// insert returns the node at the end of a path, and makes those on the way.
func (n *node) insert(path []step) *node {
	for _, s := range path {
		n = n.child(s)
	}
	return n
}

func (n *node) child(s step) *node {
	switch s.kind {
	case stepFields:
		return ensure(&n.every)
	case stepElements:
		return ensure(&n.elements)
	}
	if n.fields == nil {
		n.fields = map[string]*node{}
	}
	next := n.fields[s.name]
	if next == nil {
		next = &node{}
		n.fields[s.name] = next
	}
	return next
}

func ensure(n **node) *node {
	if *n == nil {
		*n = &node{}
	}
	return *n
}

// The functions below go one step from all nodes that a place is at. What they
// return lies on the stack x.nodes: the caller cuts that back to where it was.

// members goes to a member of an object. Directives of strategic merge patches
// stand for the field that they name.
func (x *redaction) members(at []*node, key string) []*node {
	key = strings.TrimPrefix(key, "$setElementOrder/")
	key = strings.TrimPrefix(key, "$deleteFromPrimitiveList/")
	start := len(x.nodes)
	for _, n := range at {
		x.push(n.fields[key])
		x.push(n.every)
	}
	return x.from(start)
}

// elements goes to the elements of a list.
func (x *redaction) elements(at []*node) []*node {
	start := len(x.nodes)
	for _, n := range at {
		x.push(n.elements)
	}
	return x.from(start)
}

// tokens goes where a token of a JSON pointer leads: whether it names a member or
// an element is known to the object alone.
func (x *redaction) tokens(at []*node, token string) []*node {
	start := len(x.nodes)
	for _, n := range at {
		x.push(n.fields[token])
		x.push(n.every)
		x.push(n.elements)
	}
	return x.from(start)
}

// texts goes into the objects that a string at these nodes is the text of.
func (x *redaction) texts(at []*node) []*node {
	start := len(x.nodes)
	for _, n := range at {
		x.push(n.root)
	}
	return x.from(start)
}

func (x *redaction) push(n *node) {
	if n != nil {
		x.nodes = append(x.nodes, n)
	}
}

func (x *redaction) from(start int) []*node {
	return x.nodes[start:len(x.nodes):len(x.nodes)]
}

func isSecret(at []*node) bool {
	for _, n := range at {
		if n.secret {
			return true
		}
	}
	return false
}

func holdsSets(at []*node) bool {
	for _, n := range at {
		if n.sets {
			return true
		}
	}
	return false
}

// hasSetMember reports whether in the object at pos a field is named by its
// value, as the fields of sets are.
func (x *redaction) hasSetMember() bool {
	ahead := x.text
	return bytes.Contains(ahead.raw(), []byte(`"v:`))
}
