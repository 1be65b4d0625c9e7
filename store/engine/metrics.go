package engine

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	up       prometheus.Gauge
	restarts prometheus.Counter
}

func newMetrics(registerer prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		up: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "klaxon_engine_up",
			Help: "Whether the embedded engine's process is ready: 1, else 0.",
		}),
		restarts: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "klaxon_engine_restarts_total",
			Help: "Starts of the embedded engine's process after it had ended by itself.",
		}),
	}
	for _, c := range []prometheus.Collector{m.up, m.restarts} {
		if err := registerer.Register(c); err != nil {
			return nil, fmt.Errorf("register the engine's metrics: %w", err)
		}
	}
	return m, nil
}
