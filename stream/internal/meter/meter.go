// Package meter is what the metrics of all kinds of logs share: counters that are
// kept, gauges that are asked for when somebody gathers, and a registry that has
// them from their log's opening to its end.
package meter

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Gauge tells the value of one gauge, with the values of its labels.
type Gauge func(d *prometheus.Desc, value float64, labels ...string)

// Set is a prometheus.Collector. Its fields are set before it is registered and
// not changed.
type Set struct {
	Kept  []prometheus.Collector // counters and histograms
	Asked []*prometheus.Desc     // gauges
	Ask   func(Gauge)            // tells their values; safe for concurrent use

	registerer prometheus.Registerer // nil: not registered
}

var _ prometheus.Collector = (*Set)(nil)

// Register gives the set to a registry; nil is none.
func (s *Set) Register(r prometheus.Registerer) error {
	if r == nil {
		return nil
	}
	if err := r.Register(s); err != nil {
		return fmt.Errorf("register metrics: %w", err)
	}
	s.registerer = r
	return nil
}

// Unregister takes the set from its registry, if it has one.
func (s *Set) Unregister() {
	if s.registerer != nil {
		s.registerer.Unregister(s)
	}
}

// Describe implements prometheus.Collector.
func (s *Set) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range s.Kept {
		c.Describe(ch)
	}
	for _, d := range s.Asked {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (s *Set) Collect(ch chan<- prometheus.Metric) {
	for _, c := range s.Kept {
		c.Collect(ch)
	}
	s.Ask(func(d *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	})
}

// Appended counts the Appends that succeeded, alike in every kind of log.
type Appended struct {
	records  *prometheus.CounterVec
	bytes    *prometheus.CounterVec
	duration prometheus.Histogram
}

// NewAppended returns counters that stand at nothing.
func NewAppended() *Appended {
	counters := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{"topic"})
	}
	return &Appended{
		records: counters("klaxon_log_appended_records_total", "Records that the log made durable."),
		bytes:   counters("klaxon_log_appended_bytes_total", "Bytes of the records that the log made durable, before compression."),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "klaxon_log_append_duration_seconds",
			Help:    "How long appends took until they were durable.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}),
	}
}

// Collectors returns the counters.
func (a *Appended) Collectors() []prometheus.Collector {
	return []prometheus.Collector{a.records, a.bytes, a.duration}
}

// Count takes one Append.
func (a *Appended) Count(topic string, records int, bytes int64, took time.Duration) {
	a.records.WithLabelValues(topic).Add(float64(records))
	a.bytes.WithLabelValues(topic).Add(float64(bytes))
	a.duration.Observe(took.Seconds())
}
