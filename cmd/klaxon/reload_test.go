package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// pathRule is a rule that looks for a path.
func pathRule(id, more string) string {
	return fmt.Sprintf("id: %s\ntitle: t\nseverity: low\nwhen: path == \"/%s\"\n%s\n", id, id, more)
}

// serve reads its rules again while it runs: what comes after is matched by them.
// A file that breaks stays as it was.
func TestReload(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("first.yaml", pathRule("first", ""))
	i := installWith(t, config+fmt.Sprintf("rules: {no_builtin: true, paths: [%q]}\n", dir))
	reload := func(result string) {
		t.Helper()
		metric := fmt.Sprintf("klaxon_rules_reloads_total{result=%q}", result)
		before, err := i.sample(metric)
		if err != nil {
			t.Fatal(err)
		}
		if err := i.serve.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		i.until("the rules are read again", func() error {
			now, err := i.sample(metric)
			if err == nil && now == before {
				err = fmt.Errorf("%s is %v still", metric, now)
			}
			return err
		})
	}
	found := func(path, want string) {
		t.Helper()
		now := time.Now().UTC().Format("2006-01-02T15:04:05.000000Z")
		item := strings.NewReplacer("/healthz", "/"+path, "2026-07-01T12:00:00.000000Z", now).Replace(goodItem(path))
		if code := i.post(eventList(item)); code != http.StatusOK {
			t.Fatalf("answered with %d", code)
		}
		i.until("the finding of "+path, func() error {
			out, err := i.try("findings", "--shadow", "all", "-o", "ndjson")
			if err != nil {
				return err
			}
			for line := range bytes.Lines(out) {
				if bytes.Contains(line, []byte(`"rule":"`+path+`"`)) && bytes.Contains(line, []byte(want)) {
					return nil
				}
			}
			return fmt.Errorf("not in %s", out)
		})
	}
	found("first", `"severity":"low"`)
	write("second.yaml", pathRule("second", "mode: shadow"))
	reload("ok")
	found("second", `"shadow":true`)
	write("second.yaml", "id: second\nwhen: nope\n")
	write("third.yaml", pathRule("third", ""))
	reload("problems")
	i.until("the place of the mistake in the log", func() error {
		if !strings.Contains(i.log.String(), "second.yaml:2:7: rule second: when: unknown name nope") {
			return errors.New("the log does not say where the mistake is")
		}
		return nil
	})
	found("third", `"severity":"low"`)
	i.stop(syscall.SIGTERM)
}
