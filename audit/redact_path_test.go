package audit

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParsePath(t *testing.T) {
	f := func(path string, want ...step) {
		t.Helper()
		got, err := parsePath(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(step{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
	every, elements := step{kind: stepFields}, step{kind: stepElements}
	f("data", step{name: "data"})
	f("data.*", step{name: "data"}, every)
	f("*", every)
	f("spec.users[*].password", step{name: "spec"}, step{name: "users"}, elements, step{name: "password"})
	f("a[*][*]", step{name: "a"}, elements, elements)
	f(`data."tls.key"`, step{name: "data"}, step{name: "tls.key"})
	f(`"a\"b".c-d_e$f/g`, step{name: `a"b`}, step{name: "c-d_e$f/g"})
	f(`"*"."[*]"`, step{name: "*"}, step{name: "[*]"})
	f(`""`, step{name: ""})
}

func TestParsePathMistakes(t *testing.T) {
	f := func(path, want string) {
		t.Helper()
		if _, err := parsePath(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	f("", "character 1: a field is missing")
	f("spec..password", "character 6: a field is missing")
	f(".spec", "character 1: a field is missing")
	f("spec.", "character 6: a field is missing")
	f("[*].a", "character 1: a field is missing")
	f("users[0].password", "character 6: write [*]")
	f("users[", "character 6: write [*]")
	f("a b", "character 2: want a dot or [*] here")
	f("a[*]b", "character 5: want a dot or [*] here")
	f("a*", "character 2: want a dot")
	f(`data."tls.key`, "character 6: the name in quotes does not end")
	f(strings.Repeat("a.", maxPathSteps)+"a", "at most 64 are read")
	f(strings.Repeat("a", maxPathBytes+1), "is too long")
}

func FuzzParsePath(f *testing.F) {
	for _, seed := range []string{"spec.users[*].password", `data."a.b"`, "*", `"`, "a[", "ä"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		steps, err := parsePath(path)
		if err == nil && (len(steps) == 0 || len(steps) > maxPathSteps) {
			t.Fatalf("%q has %d steps", path, len(steps))
		}
		_, compileErr := compileRules([]RedactRule{{Resource: "*", Paths: []string{path}}})
		if (compileErr == nil) != (err == nil) {
			t.Fatalf("%q: read with %v, compiled with %v", path, err, compileErr)
		}
	})
}
