package sigma

import (
	"os"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var blocks = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// The example of the documentation is what is converted, to the letter.
func TestDocumentedExample(t *testing.T) {
	text, err := os.ReadFile("../../docs/sigma.md")
	if err != nil {
		t.Fatal(err)
	}
	found := blocks.FindAllSubmatch(text, -1)
	if len(found) != 2 {
		t.Fatalf("%d blocks of YAML, want a rule and what becomes of it", len(found))
	}
	r := convertOne(t, string(found[0][1]))
	if diff := cmp.Diff(string(found[1][1]), r.Document); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if want := `verb is never "replace": a replace is recorded as "update"`; said(r) != want {
		t.Errorf("said %q, want %q", said(r), want)
	}
}
