package check

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/storage"
	"gopkg.in/yaml.v3"
)

const casesFile = "../prometheus/klaxon.rules.test.yaml"

// cases are what casesFile holds, of promtool's format.
type cases struct {
	RuleFiles          []string       `yaml:"rule_files"`
	EvaluationInterval model.Duration `yaml:"evaluation_interval"`
	Tests              []testCase     `yaml:"tests"`
}

type testCase struct {
	Interval    model.Duration `yaml:"interval"`
	InputSeries []struct {
		Series string `yaml:"series"`
		Values string `yaml:"values"`
	} `yaml:"input_series"`
	AlertRuleTest []struct {
		EvalTime  model.Duration `yaml:"eval_time"`
		Alertname string         `yaml:"alertname"`
		ExpAlerts []struct {
			ExpLabels map[string]string `yaml:"exp_labels"`
		} `yaml:"exp_alerts"`
	} `yaml:"alert_rule_test"`
}

// TestRules runs every case; each alert has one in which it fires, and one in
// which it does not.
func TestRules(t *testing.T) {
	f, err := os.Open(casesFile)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	decoder := yaml.NewDecoder(f)
	decoder.KnownFields(true)
	var all cases
	if err := decoder.Decode(&all); err != nil {
		t.Fatal(err)
	}
	known := rules(t)
	fires, silent := map[string]bool{}, map[string]bool{}
	for i, c := range all.Tests {
		for _, a := range c.AlertRuleTest {
			rule, ok := known[a.Alertname]
			if !ok {
				t.Errorf("case %d: there is no alert %s", i, a.Alertname)
				continue
			}
			var want []string
			for _, e := range a.ExpAlerts {
				want = append(want, labels.FromMap(e.ExpLabels).String())
			}
			got := firing(t, rule, c, time.Duration(all.EvaluationInterval), time.Duration(a.EvalTime))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("case %d, %s after %v (-want +got): %s", i, a.Alertname, a.EvalTime, diff)
			}
			fires[a.Alertname] = fires[a.Alertname] || len(want) > 0
			silent[a.Alertname] = silent[a.Alertname] || len(want) == 0
		}
	}
	for name := range known {
		if !fires[name] || !silent[name] {
			t.Errorf("%s: want a case in which it fires and one in which it does not", name)
		}
	}
}

// firing evaluates a rule as Prometheus does, again and again until a time, and
// returns the labels of what fires then.
func firing(t *testing.T, rule rulefmt.Rule, c testCase, every, until time.Duration) []string {
	t.Helper()
	var load strings.Builder
	fmt.Fprintf(&load, "load %s\n", c.Interval)
	for _, s := range c.InputSeries {
		fmt.Fprintf(&load, "  %s %s\n", s.Series, s.Values)
	}
	data := promqltest.LoadedStorage(t, load.String())
	defer func() { _ = data.Close() }()
	engine := promqltest.NewTestEngine(t, false, 0, promqltest.DefaultMaxSamplesPerQuery)
	since := map[string]time.Duration{}
	var now []string
	for at := time.Duration(0); at <= until; at += every {
		active := query(t, engine, data, rule, at)
		now = nil
		for series := range since {
			if !active[series] {
				delete(since, series)
			}
		}
		for series := range active {
			if _, ok := since[series]; !ok {
				since[series] = at
			}
			if at-since[series] >= time.Duration(rule.For) {
				now = append(now, series)
			}
		}
	}
	return now
}

// query returns the labels of the alerts that a rule's query gives at a time.
func query(t *testing.T, engine *promql.Engine, data storage.Queryable, rule rulefmt.Rule, at time.Duration) map[string]bool {
	t.Helper()
	q, err := engine.NewInstantQuery(context.Background(), data, nil, rule.Expr, time.Unix(0, 0).Add(at))
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	result := q.Exec(t.Context())
	vector, err := result.Vector()
	if err != nil {
		t.Fatalf("%s: %v", rule.Alert, err)
	}
	active := map[string]bool{}
	for _, sample := range vector {
		b := labels.NewBuilder(sample.Metric).Del(labels.MetricName)
		for name, value := range rule.Labels {
			b.Set(name, value)
		}
		active[b.Labels().String()] = true
	}
	return active
}
