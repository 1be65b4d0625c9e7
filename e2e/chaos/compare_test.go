package chaos

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/internal/cli"
)

// finding is one that an installation has closed or not: its line of JSON, and
// what the test needs to know of it.
type finding struct {
	line string

	ID        string    `json:"id"`
	Rule      string    `json:"rule"`
	State     string    `json:"state"`
	FirstSeen time.Time `json:"first_seen"`
	LastSeen  time.Time `json:"last_seen"`
	Saturated bool      `json:"saturated"`
}

// findings returns all that an installation has found, by id.
func (i *installation) findings(ctx context.Context) (map[string]finding, error) {
	var out, said bytes.Buffer
	args := []string{"findings", "--data-dir", i.api.String(), "--ca-file", i.shared.tls.CAFile, "--since", "2000-01-01T00:00:00Z", "--all", "-o", "ndjson"}
	if code := cli.Main(ctx, args, cli.Streams{Out: &out, Err: &said}); code != 0 {
		return nil, fmt.Errorf("klaxon findings: status %d: %s", code, said.Bytes())
	}
	found := map[string]finding{}
	for line := range strings.Lines(out.String()) {
		f := finding{line: line}
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			return nil, err
		}
		found[f.ID] = f
	}
	return found, nil
}

// closed waits until no finding is open, and returns all.
func (i *installation) closed(ctx context.Context) (found map[string]finding, err error) {
	err = again(ctx, func() error {
		if found, err = i.findings(ctx); err != nil {
			return err
		}
		open := 0
		var one finding
		for _, f := range found {
			if f.State != "closed" {
				open++
				one = f
			}
		}
		if open > 0 {
			return fmt.Errorf("%d of %d findings are open, one of them: %s", open, len(found), one.line)
		}
		return nil
	})
	return found, err
}

// mostShown is how many differences are shown.
const mostShown = 5

// same compares what was found with what should have been, line by line, and
// returns how many are the same.
func same(t *testing.T, want, got map[string]finding) (equal int) {
	t.Helper()
	var missing, other, extra []string
	for id, w := range want {
		switch g, found := got[id]; {
		case !found:
			missing = append(missing, w.line)
		case g.line != w.line:
			other = append(other, fmt.Sprintf("finding %s of %s (-left alone +struck):\n%s", id, w.Rule, cmp.Diff(fields(t, w), fields(t, g))))
		default:
			equal++
		}
	}
	for id, g := range got {
		if _, found := want[id]; !found {
			extra = append(extra, g.line)
		}
	}
	for _, differ := range []struct {
		what string
		some []string
	}{{"are missing", missing}, {"are others", other}, {"should not be", extra}} {
		if n := len(differ.some); n > 0 {
			t.Errorf("%d findings %s, some of them:\n%s", n, differ.what, strings.Join(differ.some[:min(n, mostShown)], "\n"))
		}
	}
	return equal
}

func fields(t *testing.T, f finding) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(f.line), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// rows hands over the id of each row of the events that ClickHouse holds.
func rows(ctx context.Context, dsn string, found func(audit.EventID)) error {
	at, err := url.Parse(dsn)
	if err != nil {
		return err
	}
	const sql = "SELECT lower(hex(event_id)) FROM klaxon.audit_events UNION ALL SELECT lower(hex(event_id)) FROM klaxon.audit_events_misdated FORMAT TabSeparated"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+at.Host+"/", strings.NewReader(sql))
	if err != nil {
		return err
	}
	password, _ := at.User.Password()
	req.SetBasicAuth(at.User.Username(), password)
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		return fmt.Errorf("rows of events: %s: %w: %.500s", answer.Status, err, text)
	}
	for line := range bytes.Lines(text) {
		var id audit.EventID
		if _, err := hex.Decode(id[:], bytes.TrimSpace(line)); err != nil {
			return fmt.Errorf("rows of events: %q: %w", line, err)
		}
		found(id)
	}
	return nil
}
