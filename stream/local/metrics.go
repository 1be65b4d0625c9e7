package local

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/klaxon-dev/klaxon/stream"
)

// metrics are the log's own. What can be asked is asked when they are gathered.
type metrics struct {
	log *Log

	records          *prometheus.CounterVec
	bytes            *prometheus.CounterVec
	duration         prometheus.Histogram
	refusals         *prometheus.CounterVec
	removed          *prometheus.CounterVec
	backgroundErrors prometheus.Counter

	held, oldest, lag, free *prometheus.Desc

	registerer prometheus.Registerer // nil: not registered
}

func newMetrics(l *Log) *metrics {
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &metrics{
		log:     l,
		records: counters("klaxon_log_appended_records_total", "Records that the log made durable.", "topic"),
		bytes:   counters("klaxon_log_appended_bytes_total", "Bytes of the records that the log made durable, before compression.", "topic"),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "klaxon_log_append_duration_seconds",
			Help:    "How long appends took until they were durable.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}),
		refusals: counters("klaxon_log_unavailable_total", "Appends that the log refused because it could not take records.", "reason"),
		removed:  counters("klaxon_log_removed_records_total", "Records that retention removed, by why: age, size, or size and a group would still have replayed them (replay).", "topic", "reason"),
		backgroundErrors: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "klaxon_log_background_errors_total",
			Help: "Times that the log's store could not tidy up and had to try again.",
		}),
		held:   prometheus.NewDesc("klaxon_log_size_bytes", "Bytes of records that the log holds, compressed.", []string{"topic"}, nil),
		oldest: prometheus.NewDesc("klaxon_log_oldest_record_age_seconds", "How long ago the oldest record that is held was taken.", []string{"topic"}, nil),
		lag:    prometheus.NewDesc("klaxon_log_lag_records", "Records that a group has not consumed.", []string{"topic", "group"}, nil),
		free:   prometheus.NewDesc("klaxon_log_disk_free_bytes", "Bytes of the log's disk that are free.", nil, nil),
	}
	for _, reason := range []string{reasonFull, reasonDiskFull, reasonFailed, reasonClosed} {
		m.refusals.WithLabelValues(reason)
	}
	return m
}

func (m *metrics) register(r prometheus.Registerer) error {
	if r == nil {
		return nil
	}
	if err := r.Register(m); err != nil {
		return fmt.Errorf("register metrics: %w", err)
	}
	m.registerer = r
	return nil
}

func (m *metrics) unregister() {
	if m.registerer != nil {
		m.registerer.Unregister(m)
	}
}

// appended counts an Append that succeeded.
func (m *metrics) appended(topic string, records []stream.Record, took time.Duration) {
	bytes := 0
	for i := range records {
		bytes += recordBytes(&records[i])
	}
	m.records.WithLabelValues(topic).Add(float64(len(records)))
	m.bytes.WithLabelValues(topic).Add(float64(bytes))
	m.duration.Observe(took.Seconds())
}

// refused counts an Append that failed with stream.ErrUnavailable.
func (m *metrics) refused(err error) {
	var u *unavailable
	if errors.As(err, &u) {
		m.refusals.WithLabelValues(u.reason).Inc()
	}
}

func (m *metrics) counters() []prometheus.Collector {
	return []prometheus.Collector{m.records, m.bytes, m.duration, m.refusals, m.removed, m.backgroundErrors}
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range m.counters() {
		c.Describe(ch)
	}
	for _, d := range []*prometheus.Desc{m.held, m.oldest, m.lag, m.free} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	for _, c := range m.counters() {
		c.Collect(ch)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	now := m.log.clock()
	for _, t := range m.log.sortedTopics() {
		held, oldest := t.held()
		gauge(m.held, float64(held), t.name)
		age := 0.0
		if oldest != 0 {
			age = max(0, now.Sub(time.Unix(0, oldest)).Seconds())
		}
		gauge(m.oldest, age, t.name)
		for _, l := range t.lags() {
			gauge(m.lag, float64(l.records), t.name, l.group)
		}
	}
	if free := m.log.space.free.Load(); free >= 0 {
		gauge(m.free, float64(free))
	}
}
