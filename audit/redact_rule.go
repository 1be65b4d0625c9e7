package audit

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// RedactRule names values that are secret in the objects of a resource, besides
// those that always are.
type RedactRule struct {
	// Resource is the plural of a resource, with its group where it has one:
	// configmaps, databases.example.com. *.example.com stands for all resources
	// of a group, * for all there are. Subresources are covered.
	Resource string `yaml:"resource"`
	// Paths lead from the object to the values: names of fields between dots, *
	// for every field, [*] for every element of a list, and names with other
	// characters in double quotes, as data.*, spec.users[*].password or
	// metadata.annotations."example.com/token". All that a path leads to is
	// secret, at any depth; names of fields are not, and neither are true,
	// false and null.
	Paths []string `yaml:"paths"`
}

// Bounds of the rules.
const (
	maxRedactRules = 1000
	maxRedactPaths = 1000 // of a rule
)

// CheckRedactRules returns every mistake in the rules, each with its key in the
// configuration file; nil if there are none.
func CheckRedactRules(rules []RedactRule) error {
	_, err := compileRules(rules)
	return err
}

// redactRules are the compiled rules by resource.
type redactRules map[groupResource]resourceRule

// groupResource names a resource; "*" stands for every one.
type groupResource struct{ group, resource string }

var everyResource = groupResource{"*", "*"}

// resourceRule is what is secret in the objects of one resource; the zero value
// is nothing.
type resourceRule struct {
	roots  []*node // where an object begins
	bodies []*node // where a body begins: an object, or a list of them
	named  bool    // the resource or its group is named by a rule
}

func (r *resourceRule) any() bool { return len(r.roots) > 0 }

// of returns the rule of an event's resource.
func (r redactRules) of(ref *ObjectRef) resourceRule {
	if len(r) == 0 {
		return resourceRule{}
	}
	for _, g := range [...]groupResource{{ref.APIGroup, ref.Resource}, {ref.APIGroup, "*"}} {
		if rule, ok := r[g]; ok {
			return rule
		}
	}
	return r[everyResource]
}

var resourceName = regexp.MustCompile(`^(?:\*|[a-z0-9][a-z0-9-]*)(?:\.[a-z0-9][a-z0-9.-]*)?$`)

// parseResource reads a rule's resource.
func parseResource(s string) (groupResource, error) {
	if !resourceName.MatchString(s) {
		hint := "write its plural and group as in configmaps or databases.example.com, or *"
		if strings.Contains(s, "/") {
			hint = "leave out what follows the slash: a rule covers the subresources"
		}
		return groupResource{}, fmt.Errorf("%q is no resource: %s", s, hint)
	}
	if s == "*" {
		return everyResource, nil
	}
	resource, group, _ := strings.Cut(s, ".")
	return groupResource{group, resource}, nil
}

// compileRules makes the trees of the paths, one for each resource that is
// named: it holds the paths of all rules that cover the resource.
func compileRules(rules []RedactRule) (redactRules, error) {
	if len(rules) > maxRedactRules {
		return nil, fmt.Errorf("redaction.redact: there are %d rules, at most %d are read", len(rules), maxRedactRules)
	}
	paths, err := parseRules(rules)
	if err != nil {
		return nil, err
	}
	compiled := redactRules{}
	for g := range paths {
		rule := newResourceRule(g != everyResource)
		covering := map[groupResource]bool{g: true, {g.group, "*"}: true, everyResource: true}
		for c := range covering {
			for _, path := range paths[c] {
				rule.roots[0].insert(path).secret = true
			}
		}
		compiled[g] = rule
	}
	return compiled, nil
}

// parseRules returns the paths by what they are for.
func parseRules(rules []RedactRule) (map[groupResource][][]step, error) {
	var problems []error
	problem := func(i int, key string, err error) {
		problems = append(problems, fmt.Errorf("redaction.redact[%d].%s: %w", i, key, err))
	}
	paths := map[groupResource][][]step{}
	for i, rule := range rules {
		g, err := parseResource(rule.Resource)
		if err != nil {
			problem(i, "resource", err)
		}
		if n := len(rule.Paths); n == 0 || n > maxRedactPaths {
			problem(i, "paths", fmt.Errorf("there are %d, want 1 to %d: what is secret in the resource, as data.*", n, maxRedactPaths))
			continue
		}
		for j, path := range rule.Paths {
			steps, err := parsePath(path)
			if err != nil {
				problem(i, fmt.Sprintf("paths[%d]", j), err)
			}
			paths[g] = append(paths[g], steps)
		}
	}
	return paths, errors.Join(problems...)
}

// newResourceRule returns a rule without paths, which knows where objects of a
// resource repeat themselves.
func newResourceRule(named bool) resourceRule {
	root := &node{}
	root.insert([]step{{name: "metadata"}, {name: "annotations"}, {name: lastApplied}}).root = root
	fields := root.insert([]step{{name: "metadata"}, {name: "managedFields"}, {kind: stepElements}, {name: "fieldsV1"}})
	fields.sets = named
	list := &node{}
	list.insert([]step{{name: "items"}}).elements = root
	return resourceRule{roots: []*node{root}, bodies: []*node{root, list}, named: named}
}
