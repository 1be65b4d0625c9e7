package store

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/klaxon-dev/klaxon/internal/query"
)

// metrics are what the store counts. Labels are bounded: tables, topics,
// partitions and the codes of this package.
type metrics struct {
	rows        *prometheus.CounterVec
	batches     *prometheus.CounterVec
	insertTime  *prometheus.HistogramVec
	inFlight    *prometheus.GaugeVec
	repeated    *prometheus.CounterVec
	lag         *prometheus.GaugeVec
	retries     *prometheus.CounterVec
	duplicates  *prometheus.CounterVec
	misdated    *prometheus.CounterVec
	setAside    *prometheus.CounterVec
	lost        *prometheus.CounterVec
	remembered  *prometheus.GaugeVec
	sameLetters prometheus.Counter
	abandoned   *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "klaxon_store_" + name, Help: help}, labels)
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "klaxon_store_" + name, Help: help}, labels)
	}
	m := &metrics{
		rows:    counter("rows_total", "Rows that were inserted and committed.", "table"),
		batches: counter("batches_total", "Ranges of the log that were inserted and committed.", "table"),
		insertTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "klaxon_store_insert_duration_seconds",
			Help:    "How long an insert took, tries that failed included.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2, 14),
		}, []string{"table"}),
		inFlight:   gauge("inserts_in_flight", "Inserts that were sent and are not answered.", "table"),
		repeated:   counter("inserts_repeated_total", "Inserts that were sent again, as the engine may have had them before: after a failed try, or after a process that died.", "table"),
		lag:        gauge("lag_records", "Records of the log that are not committed yet.", "topic", "partition"),
		retries:    counter("retries_total", "Tries that the engine or the log did not take for now.", "operation"),
		duplicates: counter("duplicate_events_total", "Events that had come before and were dropped, by where the first one was found.", "found"),
		misdated:   counter("misdated_events_total", "Events that were stored apart from those of their day, by what is odd about their time.", "reason"),
		setAside:   counter("set_aside_records_total", "Records that could not be stored and were handed to the dead letters.", "topic", "reason"),
		lost:       counter("lost_records_total", "Records that the log's retention removed before they were stored.", "topic"),
		abandoned:  counter("abandoned_findings_total", "Findings that were closed because no stage would have closed them any more: their rule was removed or changed while detection was down, or their matches are lost.", "reason"),
		remembered: gauge("remembered_event_ids", "Event ids that are remembered to recognise copies.", "partition"),
		sameLetters: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "klaxon_store_duplicate_letters_total", Help: "Dead letters that had come before, within a day, and were dropped.",
		}),
	}
	for _, c := range []prometheus.Collector{m.rows, m.batches, m.insertTime, m.inFlight, m.repeated, m.lag, m.retries, m.duplicates, m.misdated, m.setAside, m.lost, m.remembered, m.sameLetters, m.abandoned} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	for _, reason := range query.TimeReasons() {
		m.misdated.WithLabelValues(reason)
	}
	return m, nil
}
