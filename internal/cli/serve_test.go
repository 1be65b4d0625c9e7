package cli

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/klaxon-dev/klaxon/internal/datadir"
)

func TestWelcomeNamesWhatTheDirectoryHolds(t *testing.T) {
	dir := datadir.Dir(t.TempDir())
	if got := contents(dir); got != nil {
		t.Errorf("of nothing: %q", got)
	}
	for _, path := range []string{dir.TLS(), dir.RedactionKey()} {
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"tls (certificates)", "redaction.key (key of redaction)"}, contents(dir)); diff != "" {
		t.Error(diff)
	}
}
