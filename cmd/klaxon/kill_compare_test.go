package main

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/klaxon-dev/klaxon/audit"
)

// comparison is what became of a load in an installation that was killed.
type comparison struct {
	events, lost, doubled  int
	findings, closed, same int // of the installation that was not killed; closed in both, the same in both
}

func (c comparison) String() string {
	return fmt.Sprintf("events %d, lost %d, doubled %d, findings equal %d of %d (%d of them closed)",
		c.events, c.lost, c.doubled, c.same, c.findings, c.closed)
}

// compare waits until the installation has done with the load, for so long for
// its findings to close, and compares it with one that was not killed.
func compare(t *testing.T, calm, struck *installation, l *load, patience time.Duration) comparison {
	t.Helper()
	c := comparison{events: len(l.ids)}
	struck.drained()
	c.lost, c.doubled = rows(t, struck, l)
	want, got := calm.settled(patience), struck.settled(patience)
	c.findings = len(want)
	if c.findings == 0 {
		t.Error("nothing was found")
	}
	for id, w := range want {
		switch g := got[id]; {
		case g == nil:
			t.Errorf("finding %s of %v is missing", id, w["rule"])
		case !w.closed() || !g.closed():
			c.same++
		case sameContent(t, w, g):
			c.same++
			c.closed++
		}
	}
	for id, g := range got {
		if want[id] == nil {
			t.Errorf("finding %s of %v was not found without kills", id, g["rule"])
		}
	}
	return c
}

// rows reads all rows of an installation and counts the events of a load that
// it lost, and those that it holds more than once.
func rows(t *testing.T, i *installation, l *load) (lost, doubled int) {
	t.Helper()
	for id := range l.ids {
		l.ids[id] = 0
	}
	unknown := 0
	err := i.each(func(line []byte) error {
		var row struct {
			ID audit.EventID `json:"event_id"`
		}
		if err := json.Unmarshal(line, &row); err != nil {
			return err
		}
		if _, known := l.ids[row.ID]; !known {
			unknown++
			return nil
		}
		l.ids[row.ID]++
		return nil
	}, "events", "--since", "2000-01-01T00:00:00Z", "--all", "-o", "ndjson")
	if err != nil {
		t.Fatal(err)
	}
	for id, n := range l.ids {
		switch {
		case n == 0:
			if lost++; lost <= 5 {
				t.Errorf("event %v is lost", id)
			}
		case n > 1:
			if doubled++; doubled <= 5 {
				t.Errorf("event %v has %d rows", id, n)
			}
		}
	}
	if lost+doubled+unknown > 0 {
		t.Errorf("of %d events %d are lost and %d doubled; %d rows are of no event that was sent", len(l.ids), lost, doubled, unknown)
	}
	return lost, doubled
}

// finding is a finding's JSON.
type finding map[string]any

func (f finding) id() string   { return fmt.Sprint(f["id"]) }
func (f finding) closed() bool { return f["state"] == "closed" }

// findings returns what an installation has found, by id.
func (i *installation) findings(args ...string) (map[string]finding, error) {
	found := map[string]finding{}
	args = append([]string{"findings", "--since", "2000-01-01T00:00:00Z", "--all", "-o", "ndjson"}, args...)
	return found, i.each(func(line []byte) error {
		var f finding
		if err := json.Unmarshal(line, &f); err != nil {
			return err
		}
		found[f.id()] = f
		return nil
	}, args...)
}

// closePatience is how long findings may take to close: those of a batch that
// was taken too late for its order close ten minutes after it.
const closePatience = 15 * time.Minute

// settled waits until the findings of the load's own rules are closed and
// returns all findings.
func (i *installation) settled(patience time.Duration) map[string]finding {
	i.t.Helper()
	i.within(patience, time.Second, "the load's findings are closed", func() error {
		open, err := i.findings("--rule", "load-*", "--state", "open")
		for _, f := range open {
			return fmt.Errorf("%d are open, one of them of %v: from %v to %v", len(open), f["rule"], f["first_seen"], f["last_seen"])
		}
		return err
	})
	found, err := i.findings()
	if err != nil {
		i.t.Fatal(err)
	}
	return found
}

// sameContent compares findings that are closed in both installations, in all
// but how often they were revised. Of open ones the id is all that is promised.
func sameContent(t *testing.T, want, got finding) bool {
	t.Helper()
	delete(want, "revision")
	delete(got, "revision")
	diff := cmp.Diff(want, got)
	if diff != "" {
		t.Errorf("finding %s of %v (-without kills +with):\n%s", want.id(), want["rule"], diff)
	}
	return diff == ""
}
