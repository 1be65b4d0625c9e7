package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/internal/recorded"
	"github.com/klaxon-dev/klaxon/rules"
)

// blindOn returns how often the builtin rules are blind on lines, by rule,
// resource and what is needed.
func blindOn(t *testing.T, lines [][]byte) map[string]int64 {
	t.Helper()
	set, problems := rules.Load(rules.Sources{})
	if len(problems) > 0 {
		t.Fatal(problems.Error())
	}
	set, _ = set.Streamed()
	matcher := detect.NewMatcher(set)
	counts := map[string]int64{}
	for _, line := range lines {
		var e audit.Event
		if err := audit.Scan(line, &e); err != nil {
			t.Fatal(err)
		}
		matcher.Match(&detect.Input{Cluster: "prod-1", Event: &e}, nil)
		for _, n := range matcher.Notes() {
			if n.Outcome == detect.OutcomeBlind {
				counts[fmt.Sprintf("%s %s %s", n.Rule, e.KnownResource(), e.Gap())]++
			}
		}
	}
	return counts
}

// blind returns what serve says of blindness, as blindOn does.
func (i *installation) blind() (map[string]int64, error) {
	out, err := i.try("rules", "blind", "--since", "2000-01-01", "--limit", "1000", "-o", "ndjson")
	if err != nil {
		return nil, err
	}
	counts := map[string]int64{}
	for line := range bytes.Lines(out) {
		var b struct {
			Cluster, Rule, Resource, Needs string
			Evaluations                    int64
		}
		if err := json.Unmarshal(line, &b); err != nil {
			return nil, err
		}
		if b.Cluster != "prod-1" {
			return nil, fmt.Errorf("blind in cluster %q", b.Cluster)
		}
		counts[fmt.Sprintf("%s %s %s", b.Rule, b.Resource, b.Needs)] = b.Evaluations
	}
	return counts, nil
}

// What rules could not see is in the store, each evaluation once, though serve is
// killed and counts again.
func TestBlindnessIsStored(t *testing.T) {
	lines := recorded.Lines(t, recorded.Attack)
	for i := range lines {
		lines[i] = recorded.AtMetadata(t, lines[i])
	}
	i := installWith(t, `
ingest: {listen: "127.0.0.1:0", heartbeat: 1s}
api: {listen: "127.0.0.1:0"}
metrics: {listen: "127.0.0.1:0"}
`)
	sees := func(when string, want map[string]int64) {
		t.Helper()
		i.until(when, func() error {
			got, err := i.blind()
			if err != nil {
				return err
			}
			if diff := cmp.Diff(want, got); diff != "" {
				return fmt.Errorf("counts (-want +got):\n%s", lastLines(diff, 20))
			}
			return nil
		})
	}
	sent := 0
	for part, until := range []int{len(lines) / 3, len(lines) / 2, len(lines)} {
		for _, body := range posted(t, lines[sent:until]) {
			if code := i.post(body); code != http.StatusOK {
				t.Fatalf("answered with %d", code)
			}
		}
		sent = until
		want := blindOn(t, lines[:sent])
		if len(want) < 10 {
			t.Fatalf("%d rules and resources are blind: the recording shows little", len(want))
		}
		if part > 0 { // the first part may be matched or not
			sees("what could not be seen is stored", want)
		}
		i.stop(syscall.SIGKILL)
		i.start()
		if part == 0 {
			continue
		}
		i.until("it is counted again", func() error {
			rows, err := i.sample(`klaxon_store_rows_total{table="blindness"}`)
			if err == nil && rows == 0 {
				err = fmt.Errorf("no counts were stored since the start")
			}
			return err
		})
		sees("what could not be seen is counted once", want)
	}
	i.stop(syscall.SIGTERM)
}
