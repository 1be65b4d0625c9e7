package sigma

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Beside every file of testdata lie the rules that it comes to, and what is said
// of it.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var documents, report strings.Builder
			for _, r := range Convert([]File{{filepath.Base(file), src}}, nil) {
				if r.Document != "" {
					fmt.Fprintf(&documents, "---\n%s", r.Document)
				}
				fmt.Fprintf(&report, "%s:%d: %s: %q %s\n", r.File, r.Line, r.Outcome, r.Title, r.ID)
				for _, p := range r.Problems {
					fmt.Fprintf(&report, "  %s\n", p.Error())
				}
			}
			base := strings.TrimSuffix(file, ".yml")
			compare(t, base+".golden.yaml", strings.TrimPrefix(documents.String(), "---\n"))
			compare(t, base+".golden.txt", report.String())
		})
	}
}

func compare(t *testing.T, golden, got string) {
	t.Helper()
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
		t.Errorf("%s (-want +got):\n%s", golden, diff)
	}
}
