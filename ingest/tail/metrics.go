package tail

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	events    prometheus.Counter
	bytes     prometheus.Counter
	malformed *prometheus.CounterVec
	requests  *prometheus.CounterVec
	gaps      *prometheus.CounterVec
	files     prometheus.Counter
	lag       prometheus.Gauge
	lastEvent prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "klaxon_tail_" + name, Help: help})
	}
	labelled := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "klaxon_tail_" + name, Help: help}, []string{label})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "klaxon_tail_" + name, Help: help})
	}
	m := &metrics{
		events:    counter("events_total", "Events that the receiver has accepted."),
		bytes:     counter("read_bytes_total", "Bytes of lines that the receiver has accepted."),
		malformed: labelled("malformed_total", "Lines, and parts of lines, that are no events: the receiver keeps them as dead letters.", "reason"),
		requests:  labelled("requests_total", "Requests by their end: accepted, refused (sent again), unanswered (sent again).", "result"),
		gaps:      labelled("gaps_total", "Files that were lost before they were read to their ends: events may be missing.", "reason"),
		files:     counter("files_total", "Files that were opened to be read."),
		lag:       gauge("lag_bytes", "Bytes on disk that the receiver has not accepted yet."),
		lastEvent: gauge("last_event_timestamp_seconds", "Time of the last event that the receiver has accepted."),
	}
	var errs []error
	for _, c := range []prometheus.Collector{m.events, m.bytes, m.malformed, m.requests, m.gaps, m.files, m.lag, m.lastEvent} {
		errs = append(errs, reg.Register(c))
	}
	for _, result := range []string{resultAccepted, resultRefused, resultUnanswered} {
		m.requests.WithLabelValues(result)
	}
	for _, reason := range []string{gapGone, gapRewritten, gapBroken} {
		m.gaps.WithLabelValues(reason)
	}
	return m, errors.Join(errs...)
}
