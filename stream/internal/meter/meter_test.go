package meter

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A registry has the set until its log ends; another log may then have its place.
func TestRegister(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	var last *Set
	for range 2 {
		asked := prometheus.NewDesc("asked", "A gauge.", []string{"topic"}, nil)
		kept := NewAppended()
		last = &Set{
			Kept:  kept.Collectors(),
			Asked: []*prometheus.Desc{asked},
			Ask:   func(gauge Gauge) { gauge(asked, 7, "events") },
		}
		if err := last.Register(registry); err != nil {
			t.Fatal(err)
		}
		kept.Count("events", 3, 30, time.Second)
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]float64{}
		for _, f := range families {
			m := f.GetMetric()[0]
			got[f.GetName()] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + m.GetHistogram().GetSampleSum()
		}
		want := map[string]float64{"asked": 7, "klaxon_log_appended_records_total": 3, "klaxon_log_appended_bytes_total": 30, "klaxon_log_append_duration_seconds": 1}
		for name, value := range want {
			if got[name] != value {
				t.Errorf("%s is %v, want %v", name, got[name], value)
			}
		}
		last.Unregister()
	}
	if err := (&Set{}).Register(nil); err != nil {
		t.Errorf("without a registry: %v", err)
	}
}
