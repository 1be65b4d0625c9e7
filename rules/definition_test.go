package rules

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What a definition holds is what windows need: it has the shape of its rule.
func TestDefinitionRoundTrip(t *testing.T) {
	set, problems := Load(Sources{})
	if len(problems) > 0 {
		t.Fatal(problems.Error())
	}
	set, _ = set.Streamed()
	all := set.Rules
	for _, text := range []string{
		"title: \"{actor.name} {count} {within}\"\nwhen: allowed\nwindow: {at_least: 3, within: 10m, by: [actor.name]}\nsuppress: 30m",
		"title: t\nwhen: allowed\nsuppress: 0s",
		"title: t\nwhen: allowed\nwindow: {distinct: object.key, at_least: 5, within: 1h}\nmode: shadow\ntags: [a, b]",
		"title: t\nwindow: {sequence: [{when: verb == 'get'}, {when: verb == 'delete', by: [cluster, user.username, object.key]}], ordered: true, differ: userAgent, within: 1h, until: {when: verb == 'watch'}}",
		"title: t\nwhen: allowed\nwindow: {absence: {when: verb == 'delete', by: [cluster]}, within: 5m, by: [cluster]}",
		"title: t\nwhen: allowed\ndescription: \"" + strings.Repeat("ü", 2*maxDescribed) + "\"",
	} {
		parsed, problems := Parse("x.yaml", []byte("id: x\nseverity: [{when: allowed, is: high}, {is: low}]\n"+text+"\n"), OriginUser)
		if len(problems.Errors()) > 0 {
			t.Fatal(problems.Error())
		}
		all = append(all, parsed...)
	}
	for _, r := range all {
		got, err := ReadDefinition(r.Definition)
		if err != nil {
			t.Errorf("%s: %v", r.ID, err)
			continue
		}
		say := func(r *Rule) []any {
			return []any{r.ID, r.Shape, r.Title.String(), r.Severity, r.Mode, r.Tags, r.Suppress, len(r.Cases) > 0, len(r.Parts), r.Window.Kind, r.Window.AtLeast, cut(r.Description, maxDescribed)}
		}
		if diff := cmp.Diff(say(r), say(got)); diff != "" {
			t.Errorf("%s (-rule +definition):\n%s", r.ID, diff)
		}
	}
}

// What comes with a match may be anybody's: only what could be a rule is taken.
func TestDefinitionIsChecked(t *testing.T) {
	const right = `{"id":"x","title":"t","severity":"low","by":["cluster"],"suppress":"1h0m0s","window":{"kind":"count","at_least":2,"within":"10m0s"}}`
	if _, err := ReadDefinition([]byte(right)); err != nil {
		t.Fatal(err)
	}
	f := func(was, is string) {
		t.Helper()
		text := strings.Replace(right, was, is, 1)
		if text == right {
			t.Fatalf("%s is not there", was)
		}
		if r, err := ReadDefinition([]byte(text)); err == nil {
			t.Errorf("%s is taken: %+v", text, r)
		}
	}
	f(`"x"`, `"\u001b[2J"`)
	f(`"x"`, `"`+strings.Repeat("x", maxID+1)+`"`)
	f(`"t"`, `"{nope}"`)
	f(`"low"`, `"worst"`)
	f(`["cluster"]`, `[]`)
	f(`"1h0m0s"`, `"7h"`)
	f(`"1h0m0s"`, `"-1h"`)
	f(`"1h0m0s"`, `"0s"`)
	f(`"1h0m0s"`, `3600`)
	f(`"10m0s"`, `"0s"`)
	f(`"10m0s"`, `"10000h"`)
	f(`2`, `0`)
	f(`2`, `1000000`)
	f(`"count"`, `"first_seen"`)
	f(`"count"`, `"distinct"`)
	f(`"count"`, `"sequence"`)
	f(`"count"`, `"absence"`)
	f(`"window"`, `"windows"`)
	f(`}}`, `}`)
	long := strings.Replace(right, `"t"`, `"`+strings.Repeat("t", maxDefinition)+`"`, 1)
	if _, err := ReadDefinition([]byte(long)); !errors.Is(err, errDefinition) {
		t.Errorf("a long one: %v", err)
	}
}
