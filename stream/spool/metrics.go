package spool

import (
	"maps"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/klaxon-dev/klaxon/stream/internal/meter"
)

// metrics are the spool's own. What can be asked is asked when they are gathered.
type metrics struct {
	meter.Set
	spool *Spool

	taken    *prometheus.CounterVec
	drained  *prometheus.CounterVec
	refused  prometheus.Counter
	failures prometheus.Counter

	ready, spooling, records, size, limit, oldest *prometheus.Desc
}

func newMetrics(s *Spool) *metrics {
	counters := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "klaxon_spool_" + name, Help: help}, []string{"topic"})
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "klaxon_spool_" + name, Help: help})
	}
	gauge := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("klaxon_spool_"+name, help, labels, nil)
	}
	m := &metrics{
		spool:    s,
		taken:    counters("taken_records_total", "Records that the spool made durable."),
		drained:  counters("drained_records_total", "Records of the spool that were handed over to the brokers, copies included."),
		refused:  counter("unavailable_total", "Appends that the spool refused because it was full, or its disk was full or failed."),
		failures: counter("drain_failures_total", "Times that the spool could not be drained for another reason than brokers that are away."),
		ready:    gauge("ready", "Whether the spool can take records: 1, else 0: it is full, or its disk is full or fails."),
		spooling: gauge("spooling", "Whether what is taken goes to the spool (1) or to the brokers (0)."),
		records:  gauge("records", "Records of the spool that wait for the brokers.", "topic"),
		size:     gauge("size_bytes", "Bytes of the records that wait for the brokers, compressed.", "topic"),
		limit:    gauge("limit_bytes", "Bytes that the spool may hold of a topic.", "topic"),
		oldest:   gauge("oldest_record_age_seconds", "How long ago the oldest record that waits for the brokers was taken; 0 if none waits.", "topic"),
	}
	for name := range s.topics {
		m.taken.WithLabelValues(name)
		m.drained.WithLabelValues(name)
	}
	m.Set = meter.Set{
		Kept:  []prometheus.Collector{m.taken, m.drained, m.refused, m.failures},
		Asked: []*prometheus.Desc{m.ready, m.spooling, m.records, m.size, m.limit, m.oldest},
		Ask:   m.ask,
	}
	return m
}

// ask tells how things stand.
func (m *metrics) ask(gauge meter.Gauge) {
	ready, spooling := 1.0, 0.0
	if m.spool.Healthy() != nil {
		ready = 0
	}
	gauge(m.ready, ready)
	if _, ok := m.spool.Spooling(); ok {
		spooling = 1
	}
	gauge(m.spooling, spooling)
	for _, name := range slices.Sorted(maps.Keys(m.spool.topics)) {
		gauge(m.limit, float64(m.spool.config.limit(m.spool.topics[name])), name)
		b, err := m.spool.disk.Backlog(name, group)
		if err != nil {
			continue // who drains says why
		}
		age := 0.0
		if !b.Oldest.IsZero() {
			age = max(0, m.spool.clock().Sub(b.Oldest).Seconds())
		}
		gauge(m.records, float64(b.Records), name)
		gauge(m.size, float64(b.Bytes), name)
		gauge(m.oldest, age, name)
	}
}
