package sigma

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/klaxon-dev/klaxon/rules"
)

// FuzzConvert holds that no source makes the conversion panic, that what it says
// is bounded, and that what it converts is a rule.
func FuzzConvert(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yml")
	if err != nil || len(files) == 0 {
		f.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for document := range bytes.SplitSeq(src, []byte("---\n")) {
			f.Add(document)
		}
	}
	f.Add([]byte(itemOf(`userAgent|contains: "\x00\u202e\"`)))
	f.Add([]byte(correlatedRules))
	f.Fuzz(func(t *testing.T, src []byte) {
		if len(src) > 8<<10 {
			return // the bounds on size have tests of their own
		}
		seen := map[rules.RuleID]bool{}
		for _, r := range Convert([]File{{"x.yml", src}}, nil) {
			if len(r.Problems) > maxProblems {
				t.Errorf("%d problems", len(r.Problems))
			}
			if len(r.Document) > 8*len(src)+maxDescription {
				t.Errorf("%d bytes became %d", len(src), len(r.Document))
			}
			if (r.Outcome == Converted) != (r.Document != "") || seen[r.ID] && r.ID != "" {
				t.Errorf("%s with id %q and document %q", r.Outcome, r.ID, r.Document)
			}
			seen[r.ID] = true
			if r.Outcome != Converted {
				if len(r.Problems) == 0 {
					t.Errorf("%s, and nobody knows why", r.Outcome)
				}
				continue
			}
			read, problems := rules.Parse("x.yaml", []byte(r.Document), rules.OriginUser)
			problems = append(problems, rules.Lint(&rules.Set{Rules: read})...)
			if len(read) != 1 || len(problems.Errors()) > 0 || read[0].ID != r.ID {
				t.Errorf("what it comes to is no rule: %v\n%s", problems, r.Document)
			}
		}
	})
}
