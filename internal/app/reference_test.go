package app

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The reference of the configuration is made from the types and their comments.
func TestConfigurationReference(t *testing.T) {
	r := reference{root: "../..", comments: map[string]map[string]string{}}
	r.write(reflect.TypeFor[Config](), "")
	if r.err != nil {
		t.Fatal(r.err)
	}
	got := header + r.out.String()
	const golden = "../../docs/configuration.md"
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
		t.Errorf("docs/configuration.md is out of date: run 'go test ./internal/app -update' (-want +got):\n%s", diff)
	}
}

const header = `# Configuration

` + "`klaxon serve --config FILE`" + ` reads one YAML file. Every key may be left out. Unknown keys are errors. ` + "`${NAME}`" + `
in a value stands for an environment variable, which must be set. Durations are written as ` + "`90s`, `10m`, `8760h`" + `.

<!-- Generated from the comments of the types: go test ./internal/app -update -->

`

// reference writes the keys of configuration types with their comments.
type reference struct {
	root     string
	comments map[string]map[string]string // package directory → Type.Field → comment
	out      strings.Builder
	err      error
}

const module = "github.com/klaxon-dev/klaxon/"

func (r *reference) write(typ reflect.Type, prefix string) {
	for i := range typ.NumField() {
		f := typ.Field(i)
		key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if key == "" || key == "-" {
			continue
		}
		comment := r.comment(typ, f.Name)
		name := prefix + key
		elem, suffix := f.Type, ""
		if elem.Kind() == reflect.Slice {
			elem, suffix = elem.Elem(), "[]"
		}
		if elem.Kind() == reflect.Struct && strings.HasPrefix(elem.PkgPath(), module) {
			if prefix == "" {
				fmt.Fprintf(&r.out, "## %s\n\n%s\n\n", key, comment)
			} else {
				fmt.Fprintf(&r.out, "- `%s`: %s\n", name, comment)
			}
			r.write(elem, name+suffix+".")
			if prefix == "" {
				r.out.WriteString("\n")
			}
			continue
		}
		if prefix == "" {
			fmt.Fprintf(&r.out, "## %s\n\n%s\n\n", key, comment)
			continue
		}
		fmt.Fprintf(&r.out, "- `%s` (%s): %s\n", name, typeName(f.Type), comment)
	}
}

func typeName(t reflect.Type) string {
	switch {
	case t.String() == "time.Duration":
		return "duration"
	case t.Kind() == reflect.Slice:
		return "list of " + typeName(t.Elem()) + "s"
	case t.Kind() == reflect.Pointer:
		return typeName(t.Elem())
	case strings.HasPrefix(t.Kind().String(), "int"):
		return "number"
	default:
		return t.Kind().String()
	}
}

// comment returns the comment of a field, on one line.
func (r *reference) comment(typ reflect.Type, field string) string {
	dir := filepath.Join(r.root, strings.TrimPrefix(typ.PkgPath(), module))
	if r.comments[dir] == nil {
		r.comments[dir] = r.read(dir)
	}
	comment := r.comments[dir][typ.Name()+"."+field]
	if comment == "" && r.err == nil {
		r.err = fmt.Errorf("%s.%s.%s has no comment", typ.PkgPath(), typ.Name(), field)
	}
	return comment
}

func (r *reference) read(dir string) map[string]string {
	comments := map[string]string{}
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		r.err = err
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			r.err = err
			continue
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if s, ok := spec.Type.(*ast.StructType); ok {
				for _, f := range s.Fields.List {
					text := f.Doc.Text() + f.Comment.Text()
					for _, name := range f.Names {
						comments[spec.Name.Name+"."+name.Name] = strings.Join(strings.Fields(text), " ")
					}
				}
			}
			return true
		})
	}
	return comments
}
