package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// itemAt is an audit event of a request for a path, of now.
func itemAt(path string) string {
	now := time.Now().UTC().Format("2006-01-02T15:04:05.000000Z")
	return strings.NewReplacer("/healthz", "/"+path, "2026-07-01T12:00:00.000000Z", now).Replace(goodItem(path))
}

// What a rule had open when serve ended is closed at the next start, if the rule
// is not there any more or is another; what others have open stays open.
func TestRulesThatAreRemovedWhileDown(t *testing.T) {
	dir := t.TempDir()
	write := func(texts ...string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "rules.yaml"), []byte(strings.Join(texts, "---\n")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(pathRule("removed", ""), pathRule("changed", ""), pathRule("kept", ""))
	i := installWith(t, config+fmt.Sprintf("rules: {no_builtin: true, paths: [%q]}\n", dir))
	if code := i.post(eventList(itemAt("removed"), itemAt("changed"), itemAt("kept"))); code != http.StatusOK {
		t.Fatalf("answered with %d", code)
	}
	found := func(when string, want map[string]string) {
		t.Helper()
		i.until(when, func() error {
			out, err := i.try("findings", "-o", "ndjson")
			if err != nil {
				return err
			}
			got := map[string]string{}
			for line := range bytes.Lines(out) {
				var f struct{ Rule, State, Reason string }
				if err := json.Unmarshal(line, &f); err != nil {
					return err
				}
				got[f.Rule] = strings.TrimSpace(f.State + " " + f.Reason)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				return fmt.Errorf("findings (-want +got):\n%s", diff)
			}
			return nil
		})
	}
	found("what was found", map[string]string{"removed": "open", "changed": "open", "kept": "open"})
	i.drained()
	i.stop(syscall.SIGTERM)
	write(pathRule("changed", "suppress: 2h"), pathRule("kept", "description: another"))
	i.start()
	found("what became of it", map[string]string{"removed": "closed rule_removed", "changed": "closed rule_changed", "kept": "open"})
	i.stop(syscall.SIGTERM)
}
