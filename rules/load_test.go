package rules

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A file that breaks stays as it was; the others are read anew.
func TestLoaderKeepsWhatBroke(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rule := func(id, severity string) string {
		return "id: " + id + "\ntitle: t\nseverity: " + severity + "\nwhen: verb == \"get\"\n"
	}
	l := NewLoader(Sources{NoBuiltin: true, Paths: []string{dir}})
	load := func(wantErrors int, want map[RuleID]Severity) {
		t.Helper()
		set, problems := l.Load(time.Time{})
		got := map[RuleID]Severity{}
		for _, r := range set.Rules {
			got[r.ID] = r.Severity
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("rules (-want +got):\n%s", diff)
		}
		if n := len(problems.Errors()); n != wantErrors {
			t.Errorf("%d errors, want %d:\n%s", n, wantErrors, problems.Error())
		}
	}
	write("a.yaml", rule("a", "low"))
	write("b.yaml", rule("b", "low")+"---\nid: broken\n")
	load(3, map[RuleID]Severity{"a": Low, "b": Low})
	write("a.yaml", rule("a", "terrible"))
	write("b.yaml", rule("b", "high"))
	load(1, map[RuleID]Severity{"a": Low, "b": High})
	load(1, map[RuleID]Severity{"a": Low, "b": High})
	write("a.yaml", rule("a", "high"))
	if err := os.Remove(filepath.Join(dir, "b.yaml")); err != nil {
		t.Fatal(err)
	}
	load(0, map[RuleID]Severity{"a": High})
	write("b.yaml", rule("b", "low")+"---\nid: broken\n")
	load(3, map[RuleID]Severity{"a": High, "b": Low})
	if err := os.Rename(dir, dir+"-away"); err != nil {
		t.Fatal(err)
	}
	load(3, map[RuleID]Severity{"a": High})
}

func TestStampChanges(t *testing.T) {
	dir := t.TempDir()
	l := NewLoader(Sources{Paths: []string{dir}})
	seen := map[string]bool{}
	changed := func(what string) {
		t.Helper()
		s := l.Stamp()
		if seen[s] {
			t.Errorf("%s: the stamp is one that was", what)
		}
		if seen[s] = true; l.Stamp() != s {
			t.Errorf("%s: the stamp changes by itself", what)
		}
	}
	file := filepath.Join(dir, "a.yaml")
	changed("empty")
	for _, text := range []string{"a", "ab"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		changed(text)
	}
	if err := os.Chtimes(file, time.Unix(1, 0), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	changed("touched")
}

// Mounted configuration has links to files in hidden directories.
func TestHiddenDirectoriesAreLeftOut(t *testing.T) {
	dir := t.TempDir()
	hidden := filepath.Join(dir, "..2026_01_01")
	if err := os.Mkdir(hidden, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(hidden, "a.yaml"), []byte(minimal), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(hidden, "a.yaml"), filepath.Join(dir, "a.yaml")); err != nil {
		t.Fatal(err)
	}
	set, problems := Load(Sources{NoBuiltin: true, Paths: []string{dir}})
	if len(set.Rules) != 1 || len(problems.Errors()) != 0 {
		t.Errorf("%d rules, problems:\n%s", len(set.Rules), problems.Error())
	}
}
