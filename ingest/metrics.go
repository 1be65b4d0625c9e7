package ingest

import (
	"errors"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the receiver's. The label cluster is a configured sender's, or ""
// where there is no credential; reasons and codes are from fixed lists.
type metrics struct {
	requests  *prometheus.CounterVec
	events    *prometheus.CounterVec
	bytes     *prometheus.CounterVec
	malformed *prometheus.CounterVec
	reduced   *prometheus.CounterVec
	refused   *prometheus.CounterVec
	refusing  *prometheus.CounterVec
	age       prometheus.Histogram
	appending prometheus.Histogram
	held      prometheus.Gauge
	heartbeat prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "klaxon_ingest_" + name, Help: help}, labels)
	}
	m := &metrics{
		requests:  counter("requests_total", "Webhook requests answered, by cluster and HTTP status.", "cluster", "code"),
		events:    counter("events_total", "Audit events that became durable.", "cluster"),
		bytes:     counter("received_bytes_total", "Bytes read from webhook bodies.", "cluster"),
		malformed: counter("malformed_total", "Items and bodies that became dead letters, by reason.", "reason"),
		reduced:   counter("reduced_total", "Events over the limit that were reduced, by what was left out: bodies, strings, lists, more.", "by"),
		refused:   counter("refused_total", "Webhook requests and connections that were not accepted, by reason.", "reason"),
		refusing:  counter("refusing_seconds_total", "Time between a first refusal (429 or 503) and the acceptance after it.", "cluster"),
		age: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "klaxon_ingest_event_age_seconds",
			Help:    "Time from an event's stage to its receipt.",
			Buckets: []float64{0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 3600},
		}),
		appending: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "klaxon_ingest_append_duration_seconds",
			Help:    "Time until a part of a request was durable in the log.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 15),
		}),
		held: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "klaxon_ingest_held_bytes",
			Help: "Bytes that were read and are not durable yet.",
		}),
		heartbeat: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "klaxon_ingest_heartbeat_timestamp_seconds",
			Help: "When the last heartbeat became durable.",
		}),
	}
	return m, m.register(reg)
}

func (m *metrics) register(reg prometheus.Registerer) error {
	var errs []error
	for _, c := range []prometheus.Collector{
		m.requests, m.events, m.bytes, m.malformed, m.reduced, m.refused, m.refusing, m.age, m.appending, m.held, m.heartbeat,
	} {
		errs = append(errs, reg.Register(c))
	}
	return errors.Join(errs...)
}

func (m *metrics) answered(cluster string, code int) {
	m.requests.WithLabelValues(cluster, strconv.Itoa(code)).Inc()
}

// observeAge takes no event from the future, nor one without a time.
func (m *metrics) observeAge(stage, received time.Time) {
	if age := received.Sub(stage); age >= 0 && !stage.IsZero() {
		m.age.Observe(age.Seconds())
	}
}
