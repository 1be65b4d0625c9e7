package check

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

const (
	metricsPage = "../../docs/metrics.md"
	rulesFile   = "../prometheus/klaxon.rules.yaml"
)

var metricLine = regexp.MustCompile("^\\| `(klaxon_[a-z0-9_]+)` \\| ([a-z_, ]*) \\|")

// metrics returns the labels of every metric that klaxon has, by name.
func metrics(t *testing.T) map[string][]string {
	t.Helper()
	page, err := os.ReadFile(metricsPage)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for line := range strings.Lines(string(page)) {
		if m := metricLine.FindStringSubmatch(line); m != nil {
			all[m[1]] = append(all[m[1]], strings.Split(m[2], ", ")...)
		}
	}
	if len(all) < 20 {
		t.Fatalf("%s lists %d metrics: is its form another?", metricsPage, len(all))
	}
	return all
}

// targetLabels are those that Prometheus adds to every series.
var targetLabels = []string{model.JobLabel, model.InstanceLabel}

// series are parts of a histogram's name.
var histogramSuffix = regexp.MustCompile("_seconds_(bucket|sum|count)$")

// checkQuery holds the metrics and labels of a query to those that there are.
func checkQuery(t *testing.T, where, query string, known map[string][]string) {
	t.Helper()
	expr, err := parser.ParseExpr(query)
	if err != nil {
		t.Errorf("%s: %s: %v", where, query, err)
		return
	}
	allowed := slices.Clone(targetLabels)
	var grouped []string
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.VectorSelector:
			allowed = append(allowed, checkSelector(t, where, n, known)...)
		case *parser.AggregateExpr:
			grouped = append(grouped, n.Grouping...)
		}
		return nil
	})
	for _, label := range grouped {
		if !slices.Contains(allowed, label) {
			t.Errorf("%s: %s: nothing in it has the label %s", where, query, label)
		}
	}
}

// checkSelector returns the labels that the selector's series have.
func checkSelector(t *testing.T, where string, s *parser.VectorSelector, known map[string][]string) []string {
	t.Helper()
	if s.Name == "up" {
		return targetLabels
	}
	name, histogram := s.Name, histogramSuffix.MatchString(s.Name)
	if histogram {
		name = name[:strings.LastIndex(name, "_")]
	}
	has, ok := known[name]
	if !ok {
		t.Errorf("%s: there is no metric %s", where, s.Name)
		return nil
	}
	if histogram {
		has = append(slices.Clone(has), labels.BucketLabel)
	}
	for _, m := range s.LabelMatchers {
		if m.Name != labels.MetricName && !slices.Contains(has, m.Name) && !slices.Contains(targetLabels, m.Name) {
			t.Errorf("%s: %s has no label %s", where, s.Name, m.Name)
		}
	}
	return has
}

// rules returns the alert rules by name.
func rules(t *testing.T) map[string]rulefmt.Rule {
	t.Helper()
	groups, errs := rulefmt.ParseFile(rulesFile, false, model.UTF8Validation)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	all := map[string]rulefmt.Rule{}
	for _, g := range groups.Groups {
		for _, r := range g.Rules {
			if _, twice := all[r.Alert]; twice {
				t.Errorf("%s is there twice", r.Alert)
			}
			all[r.Alert] = r
		}
	}
	return all
}

// TestRulesNameMetrics holds the rules to the metrics that there are, and to what
// those who are woken need.
func TestRulesNameMetrics(t *testing.T) {
	known := metrics(t)
	for name, r := range rules(t) {
		checkQuery(t, name, r.Expr, known)
		if !strings.HasPrefix(name, "Klaxon") || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
			t.Errorf("%s: want a name Klaxon…, a summary and a description", name)
		}
		if !slices.Contains([]string{"critical", "warning", "info"}, r.Labels["severity"]) {
			t.Errorf("%s: severity %q", name, r.Labels["severity"])
		}
	}
}
