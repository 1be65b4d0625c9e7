package check

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const dashboardFile = "../grafana/klaxon.json"

// dashboard is what is checked of Grafana's form.
type dashboard struct {
	Panels     []panel
	Templating struct {
		List []struct {
			Name, Definition string
		}
	}
}

type panel struct {
	ID                       int
	Type, Title, Description string
	GridPos                  struct{ H, W, X, Y int }
	Targets                  []struct{ Expr, LegendFormat string }
}

// variables are what Grafana puts into a query, and what stands for it here.
var variables = strings.NewReplacer("$__rate_interval", "5m", "$job", ".*", "$cluster", ".*")

var (
	labelValues = regexp.MustCompile(`^label_values\((\w+), (\w+)\)$`)
	legendLabel = regexp.MustCompile(`\{\{(\w+)\}\}`)
)

// TestDashboard holds the dashboard to the metrics that there are.
func TestDashboard(t *testing.T) {
	text, err := os.ReadFile(dashboardFile)
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	known := metrics(t)
	ids := map[int]bool{}
	for _, p := range d.Panels {
		if ids[p.ID] {
			t.Errorf("two panels have the id %d", p.ID)
		}
		ids[p.ID] = true
		if p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("%s: is wider than the page", p.Title)
		}
		if p.Type != "row" && (p.Description == "" || len(p.Targets) == 0) {
			t.Errorf("%s: want a description and queries", p.Title)
		}
		for _, target := range p.Targets {
			checkQuery(t, p.Title, variables.Replace(target.Expr), known)
			for _, m := range legendLabel.FindAllStringSubmatch(target.LegendFormat, -1) {
				if m[1] != "instance" && !strings.Contains(target.Expr, m[1]) {
					t.Errorf("%s: the legend names %s, which %s does not give", p.Title, m[1], target.Expr)
				}
			}
		}
	}
	for _, v := range d.Templating.List {
		if m := labelValues.FindStringSubmatch(v.Definition); v.Definition != "" && (m == nil || known[m[1]] == nil) {
			t.Errorf("variable %s: %s", v.Name, v.Definition)
		}
	}
}

// quiet are the metrics that neither the dashboard nor a rule needs.
var quiet = []string{
	"klaxon_ingest_append_duration_seconds", "klaxon_ingest_received_bytes_total", "klaxon_ingest_refusing_seconds_total",
	"klaxon_log_appended_bytes_total", "klaxon_log_background_errors_total", "klaxon_log_claims_total", "klaxon_log_oldest_record_age_seconds",
	"klaxon_match_append_retries_total", "klaxon_match_events_total", "klaxon_match_excepted_total",
	"klaxon_store_abandoned_findings_total", "klaxon_store_batches_total", "klaxon_store_inserts_in_flight", "klaxon_store_lag_records",
	"klaxon_store_remembered_event_ids", "klaxon_tail_events_total", "klaxon_tail_files_total", "klaxon_tail_last_event_timestamp_seconds",
	"klaxon_tail_malformed_total", "klaxon_tail_read_bytes_total", "klaxon_tail_requests_total", "klaxon_window_append_retries_total",
	"klaxon_window_late_findings_total",
}

// TestMetricsAreUsed holds that every metric is looked at by somebody, or named
// as one that needs not be.
func TestMetricsAreUsed(t *testing.T) {
	var used strings.Builder
	for _, file := range []string{dashboardFile, rulesFile} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		used.Write(text)
	}
	known := metrics(t)
	for _, name := range slices.Sorted(maps.Keys(known)) {
		if !strings.Contains(used.String(), name) && !slices.Contains(quiet, name) {
			t.Errorf("%s is in neither %s nor %s", name, dashboardFile, rulesFile)
		}
	}
	for _, name := range quiet {
		if known[name] == nil || strings.Contains(used.String(), name) {
			t.Errorf("%s: is used, or is no metric: take it from the list", name)
		}
	}
}
