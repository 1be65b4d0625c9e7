package store

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

func TestMetricsFollowTheRules(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	m, err := newMetrics(registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*prometheus.CounterVec{m.rows, m.batches, m.retries, m.duplicates, m.lost, m.misdated, m.repeated} {
		c.WithLabelValues("x").Inc()
	}
	m.abandoned.WithLabelValues("x").Inc()
	m.setAside.WithLabelValues("x", "y").Inc()
	m.lag.WithLabelValues("x", "0").Set(1)
	m.remembered.WithLabelValues("0").Set(1)
	m.inFlight.WithLabelValues("x").Set(1)
	m.insertTime.WithLabelValues("x").Observe(1)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if len(families) != 14 {
		t.Errorf("%d metrics, want 14", len(families))
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	if _, err := newMetrics(registry); err == nil {
		t.Error("a second store on one registerer is not an error")
	}
}
