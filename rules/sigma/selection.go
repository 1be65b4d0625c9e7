package sigma

import (
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// selection converts a search identifier: a mapping, whose members must all hold,
// or a list of mappings, one of which must.
func (c *converter) selection(s *source, n ast.Node, where string) *expression {
	if isMapping(n) {
		return c.items(s, n, where)
	}
	list, ok := n.(*ast.SequenceNode)
	if !ok || len(list.Values) == 0 {
		s.refuse(n, where, "want a mapping of fields to values, or a list of mappings")
		return never
	}
	var parts []*expression
	for _, v := range list.Values {
		if !isMapping(v) {
			s.refuse(v, where, "keywords look for a text anywhere in an event: name the fields to look into")
			return never
		}
		parts = append(parts, c.items(s, v, where))
	}
	return or(parts...)
}

func (c *converter) items(s *source, n ast.Node, where string) *expression {
	members := s.mapping(n, where)
	if len(members) == 0 {
		s.refuse(n, where, "it is empty: it would match every event")
		return never
	}
	parts := make([]*expression, len(members))
	for i, m := range members {
		parts[i] = c.item(s, m, where)
	}
	c.halfSeen(s, members, where)
	return and(parts...)
}

// halfSeen says of a session into a pod that is looked for by one of the two
// verbs that open it.
func (c *converter) halfSeen(s *source, members []member, where string) {
	given := map[string]member{}
	for _, m := range members {
		given[m.key] = m
	}
	sub, verb := given["objectRef.subresource"], given["verb"]
	if sub.value == nil || verb.value == nil {
		return
	}
	session := false
	for _, n := range elements(sub.value) {
		v, _ := scalarOf(n)
		session = session || v.text == "exec" || v.text == "attach" || v.text == "portforward"
	}
	var verbs []string
	for _, n := range elements(verb.value) {
		v, _ := scalarOf(n)
		verbs = append(verbs, strings.ToLower(v.text))
	}
	if session && len(verbs) == 1 && (verbs[0] == "create" || verbs[0] == "get") {
		s.say(Note, verb.at, where+".verb", "a session is opened with create (SPDY) or get (WebSocket): the rule sees the one only")
	}
}
