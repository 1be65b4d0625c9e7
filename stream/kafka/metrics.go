package kafka

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/klaxon-dev/klaxon/stream/internal/meter"
)

// Reasons of refusals.
const (
	reasonDown = "down"
	reasonFull = "in_flight"
)

// metrics are the log's own; those that both kinds of log have are called alike.
type metrics struct {
	meter.Set
	log *Log

	appended      *meter.Appended
	refusals      *prometheus.CounterVec
	generations   *prometheus.CounterVec
	claims        *prometheus.CounterVec
	groupErrors   *prometheus.CounterVec
	commitRetries *prometheus.CounterVec
	fetchErrors   *prometheus.CounterVec

	lag, lagSeconds, stalled, flying *prometheus.Desc

	mu      sync.Mutex
	members map[*member]struct{}
}

func newMetrics(l *Log) *metrics {
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &metrics{
		log:           l,
		members:       map[*member]struct{}{},
		appended:      meter.NewAppended(),
		refusals:      counters("klaxon_log_unavailable_total", "Appends that the log refused because it could not take records: no broker took them (down), or too many bytes were in flight (in_flight).", "reason"),
		generations:   counters("klaxon_log_rebalances_total", "Generations of a group that this process took part in.", "topic", "group"),
		claims:        counters("klaxon_log_claims_total", "Partitions of a generation that the process had already and went on with (kept), or began with (taken).", "topic", "group", "kind"),
		groupErrors:   counters("klaxon_log_group_errors_total", "Times that a group could not be joined.", "topic", "group"),
		commitRetries: counters("klaxon_log_commit_retries_total", "Commits that were tried again.", "topic", "group"),
		fetchErrors:   counters("klaxon_log_fetch_errors_total", "Reads that were tried again.", "topic", "group"),
		lag:           prometheus.NewDesc("klaxon_log_lag_records", "Records that a group has not consumed, of the partitions that this process owns.", []string{"topic", "group"}, nil),
		lagSeconds:    prometheus.NewDesc("klaxon_log_lag_seconds", "How long ago the oldest record that a group has not consumed was taken, of the partitions that this process owns; 0 where all is consumed.", []string{"topic", "group"}, nil),
		stalled:       prometheus.NewDesc("klaxon_log_stalled_partitions", "Partitions of this process that have work and no progress for two minutes.", []string{"topic", "group"}, nil),
		flying:        prometheus.NewDesc("klaxon_log_in_flight_bytes", "Bytes of records that wait for the brokers' acknowledgement.", nil, nil),
	}
	for _, reason := range []string{reasonDown, reasonFull} {
		m.refusals.WithLabelValues(reason)
	}
	m.Set = meter.Set{
		Kept:  append(m.appended.Collectors(), m.refusals, m.generations, m.claims, m.groupErrors, m.commitRetries, m.fetchErrors),
		Asked: []*prometheus.Desc{m.lag, m.lagSeconds, m.stalled, m.flying},
		Ask:   m.ask,
	}
	return m
}

func (m *metrics) joined(member *member) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.members[member] = struct{}{}
}

func (m *metrics) left(member *member) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.members, member)
}

func (m *metrics) refused(reason string) { m.refusals.WithLabelValues(reason).Inc() }

// ask tells how things stand.
func (m *metrics) ask(gauge meter.Gauge) {
	for of, l := range m.lags(time.Now()) {
		gauge(m.lag, float64(l.records), of[0], of[1])
		gauge(m.lagSeconds, l.age.Seconds(), of[0], of[1])
		gauge(m.stalled, float64(l.stalled), of[0], of[1])
	}
	gauge(m.flying, float64(m.log.budget.flying.Load()))
}

// lag is how far a group is behind.
type lag struct {
	records int64
	age     time.Duration
	stalled int
}

// lags returns how far each group is behind, by topic and group.
func (m *metrics) lags(now time.Time) map[[2]string]lag {
	m.mu.Lock()
	members := slices.Collect(maps.Keys(m.members))
	m.mu.Unlock()
	out := map[[2]string]lag{}
	for _, member := range members {
		of := [2]string{member.topic, member.group}
		l := out[of]
		for _, c := range member.claims() {
			l.records += c.lag()
			l.age = max(l.age, c.behind(now))
			if c.stalled(now) {
				l.stalled++
			}
		}
		out[of] = l
	}
	return out
}
