package rules

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const counted = `
id: x
title: t
severity: [{when: allowed, is: high}, {is: low}]
tags: [group]
when: verb == "get"
window: {at_least: 5, within: 10m}
suppress: 1h
exceptions: [{name: own, when: denied}]
`

// changed returns rule x of a file.
func changed(t *testing.T, src string) *Rule {
	t.Helper()
	f, problems := ParseFile("x.yaml", []byte(src), OriginUser)
	set, more := newSet([]File{f})
	if problems = append(problems, more...); len(problems) > 0 {
		t.Fatal(problems.Error())
	}
	return set.Find("x")
}

func TestOverride(t *testing.T) {
	r := changed(t, counted+`---
kind: override
rules: [x]
severity: critical
mode: shadow
suppress: 2h
window: {at_least: 9, within: 20m}
---
kind: override
rules: [x]
enabled: false
`)
	if r.Severity != Critical || r.Cases != nil || r.Mode != ModeShadow || r.Suppress != 2*time.Hour || r.Window.AtLeast != 9 || r.Window.Within != 20*time.Minute || !r.Disabled {
		t.Errorf("the rule is %+v", r)
	}
	plain := changed(t, counted)
	if r.Version == plain.Version || r.Shape == plain.Shape || r.Written != plain.Version {
		t.Errorf("version %s, shape %s, as written %s; plain version %s, shape %s", r.Version, r.Shape, r.Written, plain.Version, plain.Shape)
	}
	if got := r.AsWritten(); got.Version != plain.Version || got.Window.AtLeast != 5 || got.Mode != ModeLive {
		t.Errorf("as written it is %+v", got)
	}
	var origins []string
	for _, c := range r.Changes {
		origins = append(origins, c.Origin())
	}
	if diff := cmp.Diff([]string{"x.yaml:11", "x.yaml:18"}, origins); diff != "" {
		t.Errorf("origins (-want +got):\n%s", diff)
	}
}

func TestExceptionFromOutside(t *testing.T) {
	plain := changed(t, counted)
	f := func(who string) {
		t.Helper()
		r := changed(t, counted+"---\nkind: exception\n"+who+"\nname: on call\nwhen: actor.name == \"jane\"\nowner: platform\nexpires: 2027-01-01\n")
		if len(r.Exceptions) != 2 || r.Exceptions[1].Name != "on call" || r.Exceptions[1].Owner != "platform" {
			t.Errorf("%s: exceptions %+v", who, r.Exceptions)
		}
		if r.Version == plain.Version || r.Shape != plain.Shape {
			t.Errorf("%s: an exception must change the version and keep the shape", who)
		}
	}
	f("rules: [x]")
	f("tags: [group]")
	f("rules: [x]\nrule_version: \"" + plain.Version + "\"")
	if len(plain.Exceptions) != 1 {
		t.Errorf("the rule that is not changed has %d exceptions", len(plain.Exceptions))
	}
}

func TestExpired(t *testing.T) {
	src := counted + "---\nkind: exception\ntags: [group]\nname: short\nwhen: actor.name == \"jane\"\nexpires: 2027-01-01\n---" + "\nid: y\ntitle: t\nseverity: low\ntags: [group]\nwhen: verb == \"get\"\nexceptions: [{name: old, when: denied, expires: 2026-06-01}]\n"
	f, _ := ParseFile("x.yaml", []byte(src), OriginUser)
	set, _ := newSet([]File{f})
	count := func(now string, want int) {
		t.Helper()
		at, err := time.Parse(time.DateOnly, now)
		if err != nil {
			t.Fatal(err)
		}
		problems := set.Expired(at)
		if len(problems) != want || len(problems.Aged()) != want || len(problems.Errors()) != 0 {
			t.Errorf("%s: %d problems, want %d warnings:\n%s", now, len(problems), want, problems.Error())
		}
	}
	count("2026-05-31", 0)
	count("2026-06-01", 1)
	count("2027-01-01", 2) // the one for both rules is told once
}

// An exception is refused only if it can hold nowhere where its rule does.
func TestExceptionThatNeverHolds(t *testing.T) {
	f := func(when, exception, says string) {
		t.Helper()
		src := "id: x\ntitle: t\nseverity: low\nwhen: '" + when + "'\n---\nkind: exception\nrules: [x]\nname: e\nwhen: '" + exception + "'\n"
		file, problems := ParseFile("x.yaml", []byte(src), OriginUser)
		_, more := newSet([]File{file})
		if got := append(problems, more...).Error(); says == "" && got != "" || !strings.Contains(got, says) {
			t.Errorf("%s, but not %s: %q, want %q", when, exception, got, says)
		}
	}
	f(`verb == "get"`, `verb == "list"`, `there verb is "get"`)
	f(`verb in ["get", "list"]`, `verb in ["watch", "list"]`, "")
	f(`objectRef.namespace startsWith "bank-"`, `objectRef.namespace == "bank-1"`, "")
	f(`objectRef.namespace startsWith "bank-"`, `objectRef.namespace == "shop-1"`, `there objectRef.namespace begins with "bank-"`)
	f(`objectRef.namespace == "bank-1"`, `objectRef.namespace startsWith "bank-"`, "")
	f(`objectRef.namespace == "bank-1"`, `objectRef.namespace startsWith "shop-"`, `there objectRef.namespace is "bank-1"`)
	f(`objectRef.namespace startsWith "bank-"`, `objectRef.namespace startsWith "bank-test-"`, "")
	f(`objectRef.namespace startsWith "bank-"`, `objectRef.namespace startsWith "shop-"`, "begins with")
	f(`"system:authenticated" in user.groups`, `"oncall" in user.groups`, "")
	f(`verb == "get"`, `!(verb == "list")`, "")
}
