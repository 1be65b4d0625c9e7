// Package rulegen makes large sets of rules for benchmarks: variations of the
// builtin packs, as an installation has them that watches many teams.
package rulegen

import (
	"fmt"
	"strings"

	"github.com/klaxon-dev/klaxon/rules"
)

// narrowings make a rule one of a team's, an application's, a network's.
var narrowings = []string{
	`objectRef.namespace == "team-%d"`,
	`objectRef.namespace in ["team-%d", "team-%[1]d-test"]`,
	`objectRef.name startsWith "app-%d-"`,
	`actor.name == "user-%d@corp.example"`,
	`!(objectRef.namespace startsWith "team-%d") && userAgent contains "tool-%[1]d"`,
	`"group-%d" in actor.groups`,
	`sourceIP.client == "192.0.2.%d"`,
	`path startsWith "/apis/group-%d.example.com"`,
}

// Rules returns n rules: the builtin ones that watch for one request, then
// variations of them, each with one more part to its condition.
func Rules(n int) (*rules.Set, error) {
	builtin, problems := rules.Load(rules.Sources{})
	if len(problems) > 0 {
		return nil, problems
	}
	var plain []*rules.Rule
	for _, r := range builtin.Rules {
		if len(r.Parts) == 1 {
			plain = append(plain, r)
		}
	}
	var text strings.Builder
	for i := range n {
		r := plain[i%len(plain)]
		when := r.When.String()
		if variation := i / len(plain); variation > 0 {
			narrow := narrowings[(i+variation)%len(narrowings)]
			when = "(" + when + ") && " + fmt.Sprintf(narrow, i)
		}
		fmt.Fprintf(&text, "---\nid: generated-%d\ntitle: t\nseverity: low\nwhen: >-\n  %s\n", i, strings.Join(strings.Fields(when), " "))
	}
	var all []*rules.Rule
	for _, part := range split(text.String()) {
		found, problems := rules.Parse("generated.yaml", []byte(part), rules.OriginUser)
		if len(problems) > 0 {
			return nil, problems
		}
		all = append(all, found...)
	}
	set, problems := rules.NewSet(all)
	if len(problems) > 0 {
		return nil, problems
	}
	return set, nil
}

// split cuts documents into files that are small enough to be read.
func split(text string) []string {
	var files []string
	for len(text) > rules.MaxFileBytes/2 {
		cut := strings.LastIndex(text[:rules.MaxFileBytes/2], "\n---\n")
		files = append(files, text[:cut+1])
		text = text[cut+1:]
	}
	return append(files, text)
}
