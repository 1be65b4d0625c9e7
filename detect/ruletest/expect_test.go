package ruletest

import (
	"strings"
	"testing"

	"github.com/klaxon-dev/klaxon/rules"
)

const sweep = `
id: sweep
title: t
severity: [{when: 'actor.name == "joe"', is: high}, {is: low}]
when: objectRef.resource == "secrets"
window: {distinct: objectRef.name, at_least: 2, within: 10m, by: [actor.name]}
tests:
  - name: two who sweep
    EXPECT
    events:
      - {objectRef: {resource: secrets, name: a}, user: {username: joe}}
      - {objectRef: {resource: secrets, name: b}, user: {username: joe}, at: 1m}
      - {objectRef: {resource: secrets, name: b}, user: {username: joe}, at: 2m}
      - {objectRef: {resource: secrets, name: a}}
      - {objectRef: {resource: secrets, name: b}, at: 1m}
`

func TestExpect(t *testing.T) {
	f := func(expect, wantError string) {
		t.Helper()
		parsed, problems := rules.Parse("sweep.yaml", []byte(strings.Replace(sweep, "EXPECT", expect, 1)), rules.OriginUser)
		if len(problems.Errors()) > 0 {
			t.Fatal(problems.Error())
		}
		r := Run(parsed[0])[0]
		if r.Passed != (wantError == "") || !strings.Contains(r.Message, wantError) {
			t.Errorf("%s: passed %v, message %q, want %q", expect, r.Passed, r.Message, wantError)
		}
	}
	f("findings: 2", "")
	f("expect: [{count: 3, distinct: 2, severity: high, key: {actor.name: joe}}, {count: 2, severity: low}]", "")
	f("expect: [{distinct: 2}, {count: 3}]", "")
	f("expect: [{distinct: 2}, {distinct: 2, key: {actor.name: jane}}]", "")
	f("expect: [{distinct: 2}]", "2 findings, want 1")
	f("findings: 2\n    expect: [{count: 4}]", `no finding of its own for "count 4"`)
	f("expect: [{count: 3}, {count: 3}]", `no finding of its own for "count 3"`)
	f("expect: [{key: {actor.name: joe}}, {key: {cluster: test}}]", `no finding of its own for "cluster=test"`)
}

func TestWriteJUnit(t *testing.T) {
	var b strings.Builder
	err := WriteJUnit(&b, []Result{
		{Rule: "a", Test: "one", File: "a.yaml", Line: 3, Passed: true},
		{Rule: "a", Test: "<two>\x1b", File: "a.yaml", Line: 9, Message: `0 findings, want "1"`},
		{Rule: "b", Test: "three", File: "b.yaml", Line: 1, Passed: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	const want = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="klaxon rules test" tests="3" failures="1">
  <testsuite name="a" tests="2" failures="1">
    <testcase name="one" classname="a" file="a.yaml" line="3"></testcase>
    <testcase name="&lt;two&gt;` + "\uFFFD" + `" classname="a" file="a.yaml" line="9">
      <failure message="0 findings, want &#34;1&#34;">a.yaml:9: 0 findings, want &#34;1&#34;</failure>
    </testcase>
  </testsuite>
  <testsuite name="b" tests="1" failures="0">
    <testcase name="three" classname="b" file="b.yaml" line="1"></testcase>
  </testsuite>
</testsuites>
`
	if b.String() != want {
		t.Errorf("JUnit:\n%s\nwant:\n%s", b.String(), want)
	}
}
