package scan

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"testing"

	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/internal/recorded"
	"github.com/klaxon-dev/klaxon/rules"
)

// scanFile scans one recording with the builtin rules.
func scanFile(t *testing.T, name string) ([]detect.Finding, Summary) {
	t.Helper()
	set, problems := rules.Load(rules.Sources{})
	if len(problems) > 0 {
		t.Fatal(problems.Error())
	}
	s := newScanner(t, Config{Rules: set})
	file := File{Name: name, Open: func() (io.ReadCloser, error) { return os.Open(recorded.Path(t, name)) }}
	if err := s.Files(context.Background(), []File{file}); err != nil {
		t.Fatal(err)
	}
	findings, summary := finish(t, s)
	return findings, summary
}

// What an attack of 57 labelled steps amid ordinary load must give at least.
func TestRecordedAttackIsFound(t *testing.T) {
	text, err := os.ReadFile(recorded.Path(t, "labels.json"))
	if err != nil {
		t.Fatal(err)
	}
	var labelled struct {
		Labels map[string]struct {
			Step    string `json:"step"`
			Desc    string `json:"desc"`
			Primary bool   `json:"primary"`
		} `json:"labels"`
	}
	if err := json.Unmarshal(text, &labelled); err != nil {
		t.Fatal(err)
	}
	findings, _ := scanFile(t, recorded.Attack)
	low, medium := listed(findings, rules.Low), listed(findings, rules.Medium)
	steps, found := map[string]string{}, map[string]bool{}
	for id, label := range labelled.Labels {
		if label.Primary {
			steps[label.Step] = label.Desc
			if low[id] {
				found[label.Step] = true
			}
		}
	}
	share := func(ids map[string]bool) int {
		ours := 0
		for id := range ids {
			if _, ok := labelled.Labels[id]; ok {
				ours++
			}
		}
		return 100 * ours / max(1, len(ids))
	}
	for step, desc := range steps {
		if !found[step] {
			t.Logf("not found: %s %s", step, desc)
		}
	}
	t.Logf("%d of %d steps; of the events listed %d %% (low and above) and %d %% (medium and above) are the attack's",
		len(found), len(steps), share(low), share(medium))
	if len(found) < 54 || share(low) < 86 || share(medium) < 97 {
		t.Error("the rules have become worse: want 54 steps, 86 % and 97 %")
	}
}

// listed returns the audit ids that findings of a severity and above list.
func listed(findings []detect.Finding, least rules.Severity) map[string]bool {
	ids := map[string]bool{}
	for _, f := range findings {
		if rules.Severity(f.Severity).Rank() < least.Rank() {
			continue
		}
		for _, e := range f.Events {
			ids[e.AuditID] = true
		}
	}
	return ids
}

func TestOrdinaryLoadIsQuiet(t *testing.T) {
	findings, summary := scanFile(t, recorded.Benign)
	if summary.Events < 30_000 {
		t.Fatalf("%d events", summary.Events)
	}
	for _, f := range findings {
		if rules.Severity(f.Severity).Rank() > rules.Medium.Rank() {
			t.Errorf("%s: %s: %s", f.Severity, f.Rule, f.Title)
		}
	}
	if len(findings) > 25 {
		t.Errorf("%d findings, want at most 25", len(findings))
	}
}
