package local

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/klaxon-dev/klaxon/stream"
	"github.com/klaxon-dev/klaxon/stream/internal/meter"
)

// metrics are the log's own. What can be asked is asked when they are gathered.
type metrics struct {
	meter.Set
	log *Log

	appended         *meter.Appended
	refusals         *prometheus.CounterVec
	removed          *prometheus.CounterVec
	backgroundErrors prometheus.Counter

	held, oldest, lag, free *prometheus.Desc
}

func newMetrics(l *Log) *metrics {
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &metrics{
		log:      l,
		appended: meter.NewAppended(),
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
	m.Set = meter.Set{
		Kept:  append(m.appended.Collectors(), m.refusals, m.removed, m.backgroundErrors),
		Asked: []*prometheus.Desc{m.held, m.oldest, m.lag, m.free},
		Ask:   m.ask,
	}
	return m
}

// count takes an Append that succeeded.
func (m *metrics) count(topic string, records []stream.Record, took time.Duration) {
	bytes := 0
	for i := range records {
		bytes += recordBytes(&records[i])
	}
	m.appended.Count(topic, len(records), int64(bytes), took)
}

// refused counts an Append that failed with stream.ErrUnavailable.
func (m *metrics) refused(err error) {
	var u *unavailable
	if errors.As(err, &u) {
		m.refusals.WithLabelValues(u.reason).Inc()
	}
}

// ask tells how things stand.
func (m *metrics) ask(gauge meter.Gauge) {
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
