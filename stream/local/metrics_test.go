package local

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"

	"github.com/klaxon-dev/klaxon/stream"
)

// samples gathers all samples, written as name{label="value"} value; of a
// histogram its count.
func samples(t *testing.T, g prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]float64)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			out[f.GetName()+labels(m)] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return out
}

func labels(m *dto.Metric) string {
	var pairs []string
	for _, l := range m.GetLabel() {
		pairs = append(pairs, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
	}
	if len(pairs) == 0 {
		return ""
	}
	return "{" + strings.Join(pairs, ",") + "}"
}

func TestMetrics(t *testing.T) {
	registry, clock, dir := prometheus.NewPedanticRegistry(), newFakeClock(), t.TempDir()
	o := onePartition(Options{Registerer: registry, Clock: clock.Now})
	log := mustOpen(t, dir, Config{Compression: CompressionNone, MaxRecordBytes: 1000, MaxBytes: 2000}, o)
	c, _ := consume(t, log, "readers")
	record := stream.Record{Key: []byte("1234"), Value: make([]byte, 900-4)}
	for range 2 {
		if err := log.Append(t.Context(), "events", []stream.Record{record}); err != nil {
			t.Fatal(err)
		}
		clock.move(time.Hour)
	}
	if err := log.Append(t.Context(), "events", []stream.Record{record}); err == nil {
		t.Fatal("a full topic took a record")
	}
	if err := c.Commit(t.Context(), stream.Position{Offset: 1}); err != nil {
		t.Fatal(err)
	}
	got := samples(t, registry)
	delete(got, "klaxon_log_disk_free_bytes")
	want := map[string]float64{
		`klaxon_log_append_duration_seconds`:                     2,
		`klaxon_log_appended_bytes_total{topic="events"}`:        1800,
		`klaxon_log_appended_records_total{topic="events"}`:      2,
		`klaxon_log_background_errors_total`:                     0,
		`klaxon_log_lag_records{group="readers",topic="events"}`: 1,
		`klaxon_log_oldest_record_age_seconds{topic="events"}`:   7200,
		`klaxon_log_size_bytes{topic="events"}`:                  float64(2 * (headerBytes + 900 + 4)),
		`klaxon_log_unavailable_total{reason="closed"}`:          0,
		`klaxon_log_unavailable_total{reason="disk_full"}`:       0,
		`klaxon_log_unavailable_total{reason="failed"}`:          0,
		`klaxon_log_unavailable_total{reason="full"}`:            1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
	log.retain(t.Context())
	if got := samples(t, registry)[`klaxon_log_removed_records_total{reason="size",topic="events"}`]; got != 0 {
		t.Errorf("%v records were removed below the bound", got)
	}
}

func TestMetricsFollowTheRules(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	log := mustOpen(t, t.TempDir(), Config{}, onePartition(Options{Registerer: registry}))
	if err := log.Append(t.Context(), "events", numbered(0, 1)); err != nil {
		t.Fatal(err)
	}
	log.metrics.removed.WithLabelValues("events", "age").Inc()
	consume(t, log, "readers")
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if len(families) != 10 {
		t.Errorf("%d metrics, want 10", len(families))
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestMetricsEndWithTheLog(t *testing.T) {
	registry, dir := prometheus.NewPedanticRegistry(), t.TempDir()
	o := onePartition(Options{Registerer: registry})
	for range 2 {
		log := mustOpen(t, dir, Config{}, o)
		if _, err := Open(t.TempDir(), Config{}, o); err == nil {
			t.Error("a second log on one registerer is not an error")
		}
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
