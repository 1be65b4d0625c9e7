package engine

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	up         prometheus.Gauge
	restarts   prometheus.Counter
	unanswered prometheus.Counter
}

func newMetrics(registerer prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		up: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "klaxon_engine_up",
			Help: "Whether the embedded engine's process is ready and answers: 1, else 0.",
		}),
		restarts: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "klaxon_engine_restarts_total",
			Help: "Starts of the embedded engine's process after it had ended, by itself or because it hung.",
		}),
		unanswered: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "klaxon_engine_unanswered_pings_total",
			Help: "Signs of life that the embedded engine's process did not give in time; after three in a row it is killed and started again.",
		}),
	}
	for _, c := range []prometheus.Collector{m.up, m.restarts, m.unanswered} {
		if err := registerer.Register(c); err != nil {
			return nil, fmt.Errorf("register the engine's metrics: %w", err)
		}
	}
	return m, nil
}
