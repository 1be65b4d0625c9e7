package canary

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// root is the directory of klaxon's module.
const root = "../.."

// opening is a function of klaxon that makes secrets unreadable, and what it
// begins with in a build that leaves them readable.
type opening struct{ file, function, begin string }

// openings are all there are. They are made in copies of the files, at build
// time: klaxon itself has no switch that turns redaction off.
var openings = []opening{
	{"audit/redact.go", "redactWithin", "if true { return item, nil };"},
	{"ingest/seal.go", "Seal", "if true { d.Sealed = append([]byte(nil), text...); return };"},
}

// build builds klaxon into dir and returns the program's path. An open one
// redacts and seals nothing.
func build(t *testing.T, dir string, open bool) string {
	t.Helper()
	path := filepath.Join(dir, "klaxon")
	args := []string{"build", "-o", path}
	if open {
		args = append(args, "-overlay", overlay(t, dir))
	}
	cmd := exec.CommandContext(t.Context(), "go", append(args, "./cmd/klaxon")...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// overlay writes the changed files and returns the file that names them to
// 'go build'.
func overlay(t *testing.T, dir string) string {
	t.Helper()
	replace := map[string]string{}
	for i, o := range openings {
		source, err := filepath.Abs(filepath.Join(root, o.file))
		if err != nil {
			t.Fatal(err)
		}
		text, err := o.apply(source)
		if err != nil {
			t.Fatal(err)
		}
		replace[source] = filepath.Join(dir, fmt.Sprintf("%d.go", i))
		write(t, replace[source], text)
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "overlay.json")
	write(t, path, text)
	return path
}

// apply returns the text of a file in which the function begins as it should.
func (o *opening) apply(source string) ([]byte, error) {
	text, err := os.ReadFile(source)
	if err != nil {
		return nil, err
	}
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, source, text, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name == o.function {
			at := set.Position(f.Body.Lbrace).Offset + 1
			return append(append(text[:at:at], o.begin...), text[at:]...), nil
		}
	}
	return nil, fmt.Errorf("%s has no function %s: name the one that now does its work", o.file, o.function)
}

func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
