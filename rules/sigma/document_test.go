package sigma

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/klaxon-dev/klaxon/rules"
)

const detected = "logsource: {product: kubernetes, service: audit}\ndetection: {s: {verb: get}, condition: s}\n"

func TestWords(t *testing.T) {
	r := parsed(t, convertOne(t, `title: "Look: {verb} 'here'"
id: 6F0C0C0E-6A55-4A4E-9D1E-0B6F5F6A0001
author: A "B" C
license: DRL-1.1
description: "one\ntwo # three\n\n  four: \e[2J five"
references: [https://example.org/?a=b#c]
tags: [attack.T1552.007, cve.2026-1, "x: y", 12]
level: CRITICAL
falsepositives: ["a: b", 'c "d"']
`+detected))
	got := map[string]any{
		"title": r.Title.String(), "description": r.Description, "severity": r.Severity, "tags": r.Tags, "positives": r.FalsePositives, "id": r.ID,
	}
	want := map[string]any{
		"title":       "Look: (verb) 'here'",
		"description": "one\ntwo # three\nfour: [2J five\nSigma rule by A \"B\" C. License: DRL-1.1.\nSee https://example.org/?a=b#c",
		"severity":    rules.Critical,
		"tags":        []string{"attack.t1552.007", "cve.2026-1", "x: y", "12", "sigma.6f0c0c0e-6a55-4a4e-9d1e-0b6f5f6a0001"},
		"positives":   []string{"a: b", `c "d"`},
		"id":          rules.RuleID("look-verb-here"),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestIDs(t *testing.T) {
	f := func(title, want string) {
		t.Helper()
		if got := kebab(title); got != want {
			t.Errorf("%q: %q, want %q", title, got, want)
		}
	}
	f("Secrets Enumeration", "secrets-enumeration")
	f("  CronJob/Job -- Modified!  ", "cronjob-job-modified")
	f("A User's Token", "a-users-token")
	f("3 Pods", "sigma-3-pods")
	f("Übung", "bung")
	f("日本", "sigma")
	f("", "sigma")
	f(strings.Repeat("word ", 30), strings.TrimSuffix(strings.Repeat("word-", 12), "-"))
	f(strings.Repeat("x", 200), strings.Repeat("x", maxID))
}

func TestIDsAreUnique(t *testing.T) {
	rule := func(id string) string { return "title: Same\nlevel: low\n" + id + detected + "---\n" }
	src := rule("") + rule("") + rule("id: 6f0c0c0e-6a55-4a4e-9d1e-0b6f5f6a0001\n") + rule("")
	var got []rules.RuleID
	for _, r := range Convert([]File{{"x.yml", []byte(src)}}, []rules.RuleID{"same"}) {
		got = append(got, r.ID)
	}
	if diff := cmp.Diff([]rules.RuleID{"same-2", "same-3", "same-6f0c0c0e", "same-4"}, got); diff != "" {
		t.Errorf("ids (-want +got):\n%s", diff)
	}
}

func TestOutcomes(t *testing.T) {
	f := func(head string, want Outcome) {
		t.Helper()
		const detection = "\nlevel: low\ndetection: {s: {verb: get}, condition: s}\n"
		if r := convertOne(t, head+detection); r.Outcome != want {
			t.Errorf("%s: %s, want %s: %s", head, r.Outcome, want, said(r))
		}
	}
	f("logsource: {product: kubernetes, service: audit}", Converted)
	f("logsource: {product: Kubernetes, service: Audit, category: application, definition: x}", Converted)
	f("logsource: {product: kubernetes, category: audit}", Converted)
	f("logsource: {product: kubernetes}", OtherLog)
	f("logsource: {product: kubernetes, service: scheduler}", OtherLog)
	f("logsource: {product: kubernetes, service: audit, category: network}", OtherLog)
	f("logsource: {product: linux, service: audit}", OtherLog)
	f("title: x", Refused)
	f("logsource: {product: kubernetes, service: audit}\nstatus: deprecated", Skipped)
	f("logsource: {product: kubernetes, service: audit}\nstatus: unsupported", Skipped)
	f("logsource: {product: kubernetes, service: audit}\naction: global", Refused)
	f("logsource: {product: kubernetes, service: audit}\ntitle: [x]", Refused)
	f("logsource: {product: kubernetes, service: audit}\ntags: {x: y}", Refused)
}

func TestLineEndsAndMarks(t *testing.T) {
	src := "\ufeff# a comment\r\n---\r\ntitle: A\r\nlevel: low\r\n" + strings.ReplaceAll(detected, "\n", "\r\n") + "---\r\n---\r\ntitle: B\r\nlevel: low\r\n" + detected
	var got []string
	for _, r := range Convert([]File{{"x.yml", []byte(src)}}, nil) {
		got = append(got, string(r.ID)+" "+string(r.Outcome))
	}
	if diff := cmp.Diff([]string{"a converted", "b converted"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
