package rules

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Every file of testdata/problems is a rule file with mistakes; beside it lies
// what is said of them.
func TestProblems(t *testing.T) {
	files, err := filepath.Glob("testdata/problems/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			found, problems := ParseFile(filepath.Base(file), src, OriginUser)
			set, more := newSet([]File{found})
			problems = append(problems, more...)
			problems = append(problems, Lint(set)...)
			problems.sort()
			got := problems.Error() + "\n"
			golden := strings.TrimSuffix(file, ".yaml") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

const minimal = `
id: x
title: t
severity: low
when: verb == "get"
`

func parseOne(t *testing.T, src string) *Rule {
	t.Helper()
	rules, problems := Parse("x.yaml", []byte(src), OriginUser)
	if len(problems) > 0 || len(rules) != 1 {
		t.Fatalf("%d rules, problems:\n%s", len(rules), problems.Error())
	}
	return rules[0]
}

func TestABrokenRuleDoesNotStopItsNeighbours(t *testing.T) {
	rules, problems := Parse("x.yaml", []byte("id: a\nwhen: nope\n---"+minimal), OriginUser)
	if len(rules) != 1 || rules[0].ID != "x" {
		t.Errorf("rules: %v, want x alone", rules)
	}
	if len(problems) == 0 {
		t.Error("no problem is said of the broken rule")
	}
}

func TestVersionChangesWithWhatDecides(t *testing.T) {
	base := parseOne(t, minimal).Version
	f := func(name, src string, same bool) {
		t.Helper()
		if got := parseOne(t, src).Version; (got == base) != same {
			t.Errorf("%s: version %s, base %s, want same: %v", name, got, base, same)
		}
	}
	f("nothing", minimal, true)
	f("title", strings.Replace(minimal, "title: t", "title: other", 1), true)
	f("severity", strings.Replace(minimal, "low", "high", 1), true)
	f("when", strings.Replace(minimal, `"get"`, `"list"`, 1), false)
	f("suppress", minimal+"suppress: 2h\n", false)
	f("by", minimal+"window: {by: [cluster]}\n", false)
	f("exception", minimal+"exceptions: [{name: e, when: 'verb == \"x\"'}]\n", false)
}

func TestSourceIsTheDocument(t *testing.T) {
	rules, problems := Parse("x.yaml", []byte("# a file\n"+strings.TrimPrefix(minimal, "\n")+"---\n"+strings.Replace(strings.TrimPrefix(minimal, "\n"), "id: x", "id: y", 1)), OriginUser)
	if len(problems) > 0 || len(rules) != 2 {
		t.Fatalf("%d rules, %v", len(rules), problems)
	}
	for i, want := range []string{"id: x", "id: y"} {
		if src := rules[i].Source; !strings.HasPrefix(src, want) || strings.Count(src, "id:") != 1 {
			t.Errorf("source of rule %d: %q", i, src)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(minimal + "tests: [{name: a, findings: 1, events: [{at: 1m, verb: get}]}]\nexceptions: [{name: e, when: allowed}]"))
	f.Add([]byte("id: [a, *b]\n---\n&x {}"))
	f.Add([]byte("when: >-\n  any(containers, .privileged) && \"a\" matches \"(\"\n"))
	f.Add([]byte(minimal + "---\nkind: override\nrules: [x]\nenabled: true\nsuppress: 2h\nwindow: {at_least: 2}\n---\nkind: exception\ntags: [a]\nrules: [x]\nname: e\nwhen: sourceIPs[0] == \"x\"\n"))
	f.Add([]byte("id: x\ntitle: t\nseverity: [{when: allowed, is: low}, {is: high}]\nwhen: verb == \"get\"\nwindow: {sequence: [{when: allowed}, {when: '!denied'}], within: 5m}"))
	f.Add([]byte("id: x\ntitle: t\nseverity: []\nwhen: allowed\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		file, problems := ParseFile("x.yaml", src, OriginUser)
		set, more := newSet([]File{file})
		problems = append(append(problems, more...), Lint(set)...)
		for _, r := range append(set.Rules, set.Disabled...) {
			Explain(r)
			if len(r.Parts) == 0 || r.ID == "" || r.Severity.Rank() < 0 {
				t.Errorf("a rule came out broken: %+v", r)
			}
		}
		for _, p := range problems {
			if p.Line < 1 || p.Message == "" {
				t.Errorf("a problem without place or text: %+v", p)
			}
		}
	})
}

// What would keep the parser busy is refused before it.
func TestHostileFilesAreRefusedAtOnce(t *testing.T) {
	f := func(name, text, says string) {
		t.Helper()
		_, problems := Parse("x.yaml", []byte(text), OriginUser)
		if len(problems) != 1 || !strings.Contains(problems[0].Message, says) {
			t.Errorf("%s: %v, want one problem that says %q", name, problems, says)
		}
	}
	f("brackets", "id: "+strings.Repeat("[", 100_000), "brackets are open")
	f("braces over lines", "id: x\n"+strings.Repeat("a: {\n", 1_000), "brackets are open")
	f("lists in a line", "tags:\n  "+strings.Repeat("- ", 400_000), "lists are begun")
	f("lists in brackets", "tags: ["+strings.Repeat("- ", 400_000), "lists are begun")
	f("a long list", minimal+"tags: ["+strings.Repeat("t,", 90_000)+"]", "elements")
	f("an error in a long line", strings.Repeat("%", 500_000), "no YAML")
	f("blank lines", "id: >-\n"+strings.Repeat("\n", 50_000), "lines")
}
