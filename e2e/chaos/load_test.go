package chaos

import (
	"bytes"
	"testing"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/internal/cli"
)

// The stories are what the rules are about.
func TestRules(t *testing.T) {
	var said bytes.Buffer
	if code := cli.Main(t.Context(), []string{"rules", "test", "--no-builtin", "--rules", "rules.yaml"}, cli.Streams{Out: &said, Err: &said}); code != 0 {
		t.Errorf("status %d: %s", code, said.Bytes())
	}
}

// Every event of a load is another: what is doubled was doubled on the way.
func TestLoadRepeatsNothing(t *testing.T) {
	load := newLoad(t, newSecrets(t, t.TempDir()), 1)
	seen := map[audit.EventID]bool{}
	for range 200 {
		b, err := load.Next()
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range b.IDs {
			if seen[id] {
				t.Fatalf("event %v comes twice", id)
			}
			seen[id] = true
		}
	}
}
