package stage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/rules"
	"github.com/klaxon-dev/klaxon/stream"
)

// Matching is the first stage: it matches events against rules.
type Matching struct {
	set      atomic.Pointer[rules.Set]
	out      appender
	bad      *bad
	clusters labels
	logger   *slog.Logger
	metrics  *matchMetrics
	noisy    *noisy
}

type matchMetrics struct {
	events   prometheus.Counter
	broken   prometheus.Counter
	lost     prometheus.Counter
	matches  *prometheus.CounterVec
	outcomes *prometheus.CounterVec
	excepted *prometheus.CounterVec
	blind    *prometheus.CounterVec
	retries  *prometheus.CounterVec
}

// NewMatching returns the stage for a set of rules.
func NewMatching(set *rules.Set, log stream.Producer, logger *slog.Logger, reg prometheus.Registerer) *Matching {
	m := &matchMetrics{
		events: prometheus.NewCounter(prometheus.CounterOpts{Name: "klaxon_match_events_total", Help: "Events that were matched against the rules."}),
		broken: prometheus.NewCounter(prometheus.CounterOpts{Name: "klaxon_match_undecodable_records_total", Help: "Records of the log that could not be read as events."}),
		lost:   prometheus.NewCounter(prometheus.CounterOpts{Name: "klaxon_match_lost_records_total", Help: "Records that retention removed before they were matched."}),
		matches: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "klaxon_match_matches_total", Help: "Events that met a rule's condition."},
			[]string{"rule"}),
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "klaxon_match_outcomes_total", Help: "Evaluations that gave no match: blind (the event does not hold what the rule needs), failed, excepted."},
			[]string{"rule", "outcome"}),
		excepted: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "klaxon_match_excepted_total", Help: "Matches that an exception took away."},
			[]string{"rule", "exception"}),
		blind: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "klaxon_match_blind_total", Help: "Evaluations that were blind, by the level of recording that would let the rule see (Request, RequestResponse), or why none does (truncated, reduced, never)."},
			[]string{"rule", "cluster", "resource", "needs"}),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "klaxon_match_append_retries_total", Help: "Appends that were tried again because the log took no records."},
			[]string{"topic"}),
	}
	noisy := newNoisy()
	reg.MustRegister(m.events, m.broken, m.lost, m.matches, m.outcomes, m.excepted, m.blind, m.retries, noisy.share)
	s := &Matching{
		logger:  logger,
		bad:     newBad(logger),
		metrics: m,
		noisy:   noisy,
		out: appender{log: log, logger: logger, backoffs: defaultBackoffs,
			retries: func(topic string) { m.retries.WithLabelValues(topic).Inc() }},
	}
	s.set.Store(set)
	return s
}

// SetRules makes the stage go on with another set, from the next batch that it
// reads. It is safe for concurrent use.
func (s *Matching) SetRules(set *rules.Set) { s.set.Store(set) }

// Noisy names the rules that match too much, "" if there are none.
func (s *Matching) Noisy() string { return s.noisy.String() }

// Handle consumes one partition of the topic Events until ctx ends. It begins by
// counting again what rules could not see among those records of the present
// segment that are matched.
func (s *Matching) Handle(ctx context.Context, claim stream.Claim) error {
	in := reader{claim: claim, logger: s.logger, next: claim.Position().Offset, lost: func(n int64) { s.metrics.lost.Add(float64(n)) }}
	batch := matchBatch{
		stage:   s,
		source:  claim.Partition(),
		sources: s.out.log.Partitions(topic.Events),
		clock:   newSourceClock(),
		counts:  map[rules.RuleID]int64{},
		blind:   newBlindCounts(claim.Partition()),
	}
	batch.use(s.set.Load())
	if err := batch.recount(ctx, claim); err != nil {
		return endOf(ctx, err)
	}
	for {
		records, err := in.read(ctx)
		if err != nil {
			return endOf(ctx, err)
		}
		batch.use(s.set.Load())
		out, err := batch.match(records)
		if err != nil {
			return err
		}
		if in.hole != nil {
			gaps, err := batch.gap(in.hole)
			if err != nil {
				return err
			}
			out = append(gaps, out...)
		}
		if err := s.out.append(ctx, topic.Matches, out); err != nil {
			return endOf(ctx, err)
		}
		if err := batch.tellBlind(ctx, in.next); err != nil {
			return endOf(ctx, err)
		}
		if err := claim.Commit(ctx, batch.blind.position(in.next)); err != nil {
			return endOf(ctx, err)
		}
	}
}

// endOf turns the error of a stage that was asked to end into none.
func endOf(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// matchBatch matches what was read of one partition.
type matchBatch struct {
	stage   *Matching
	source  int // the partition of Events, of how many
	sources int
	set     *rules.Set
	matcher *detect.Matcher // of the set
	event   audit.Event
	matches []detect.Match
	clock   *sourceClock
	counts  map[rules.RuleID]int64
	blind   *blindCounts
	unsaid  []topic.Blindness // of segments that have ended
}

// use makes a set the one that the next batch is matched against.
func (b *matchBatch) use(set *rules.Set) {
	if set != b.set {
		b.set, b.matcher = set, detect.NewMatcher(set)
	}
}

func (b *matchBatch) match(records []stream.Record) ([]stream.Record, error) {
	partitions := b.stage.out.log.Partitions(topic.Matches)
	var out []stream.Record
	var newest time.Time // received
	events := 0
	for i := range records {
		offset := records[i].Offset
		b.unsaid = append(b.unsaid, b.blind.enter(offset)...)
		e, err := topic.DecodeEvent(&records[i])
		if err == nil && e.Kind == topic.KindEvent {
			err = b.one(&e, offset)
			newest = later(newest, e.Received)
			events++
		}
		if errors.Is(err, topic.ErrVersion) {
			return nil, fmt.Errorf("record %d of %s/%d: %w", offset, topic.Events, b.source, err)
		}
		if err != nil {
			b.stage.metrics.broken.Inc()
			b.stage.bad.say(topic.Events, &records[i], err)
			continue
		}
		for j := range b.matches {
			r, err := (&topic.Match{
				Kind: topic.KindMatch, Source: b.source, Sources: b.sources, Sender: e.Sender, Received: e.Received,
				Match: b.matches[j], Rule: b.set.Rule(b.matches[j].Rule).Definition,
			}).Record(partitions)
			if err != nil {
				return nil, err
			}
			out = append(out, r)
		}
		b.matches = b.matches[:0]
		b.blind.newest = later(b.blind.newest, e.Received)
		b.clock.heard(e.Sender, e.Received)
	}
	b.stage.noisy.add(newest, events, b.counts)
	return b.tell(out, partitions)
}

func (b *matchBatch) one(e *topic.Event, offset int64) error {
	if err := b.evaluate(e, offset); err != nil {
		return err
	}
	b.count(e.Cluster)
	return nil
}

// evaluate matches the event at an offset, and counts what could not be seen.
func (b *matchBatch) evaluate(e *topic.Event, offset int64) error {
	b.event.Reset()
	if err := audit.Scan(e.Item, &b.event); err != nil {
		return err
	}
	in := detect.Input{
		Cluster:   e.Cluster,
		Received:  e.Received,
		ID:        e.ID,
		RequestID: b.event.RequestID(e.Cluster),
		Event:     &b.event,
	}
	b.matches = b.matcher.Match(&in, b.matches[:0])
	for _, n := range b.matcher.Notes() {
		if n.Outcome == detect.OutcomeBlind {
			b.blind.add(offset, e.Cluster, n.Rule, &b.event, e.Received)
		}
	}
	return nil
}

func (b *matchBatch) count(cluster audit.ClusterID) {
	m := b.stage.metrics
	m.events.Inc()
	for i := range b.matches {
		m.matches.WithLabelValues(string(b.matches[i].Rule)).Inc()
		if i == 0 || b.matches[i].Rule != b.matches[i-1].Rule { // the steps of one count once
			b.counts[b.matches[i].Rule]++
		}
	}
	for _, n := range b.matcher.Notes() {
		m.outcomes.WithLabelValues(string(n.Rule), string(n.Outcome)).Inc()
		if n.Outcome == detect.OutcomeBlind {
			m.blind.WithLabelValues(string(n.Rule), b.stage.clusters.of(string(cluster)), b.event.KnownResource(), string(b.event.Gap())).Inc()
		}
		if n.Outcome == detect.OutcomeExcepted {
			m.excepted.WithLabelValues(string(n.Rule), n.Exception).Inc()
		}
		if n.Err != nil {
			b.stage.logger.Debug("a rule could not be evaluated", "rule", n.Rule, "error", n.Err)
		}
	}
}

// recount counts again what could not be seen among the records of the present
// segment that are matched.
func (b *matchBatch) recount(ctx context.Context, claim stream.Claim) error {
	p := claim.Position()
	for next := p.Horizon(); next < p.Offset; {
		records, err := claim.Read(ctx, next, readBytes)
		var gap *stream.GapError
		if errors.As(err, &gap) {
			next = gap.To // they were matched: only their count may be too low
			continue
		}
		if err != nil {
			return err
		}
		for i := range records {
			if next = records[i].Offset + 1; next > p.Offset {
				break
			}
			b.blind.enter(records[i].Offset)
			if e, err := topic.DecodeEvent(&records[i]); err == nil && e.Kind == topic.KindEvent {
				_ = b.evaluate(&e, records[i].Offset) // what is no event was said when it was matched
				b.matches = b.matches[:0]
			}
		}
	}
	return nil
}

// tellBlind says what rules could not see among the records before next, where it
// is time to.
func (b *matchBatch) tellBlind(ctx context.Context, next int64) error {
	if b.blind.due() {
		b.unsaid = append(b.unsaid, b.blind.say(next)...)
	}
	partitions := b.stage.out.log.Partitions(topic.Blind)
	records := make([]stream.Record, len(b.unsaid))
	for i := range b.unsaid {
		r, err := b.unsaid[i].Record(partitions)
		if err != nil {
			return err
		}
		records[i] = r
	}
	b.unsaid = b.unsaid[:0]
	return b.stage.out.append(ctx, topic.Blind, records)
}

// gap tells every partition what was lost.
func (b *matchBatch) gap(h *hole) ([]stream.Record, error) {
	events := h.events()
	partitions := b.stage.out.log.Partitions(topic.Matches)
	return everywhere(nil, &topic.Match{Kind: topic.KindGap, Source: b.source, Sources: b.sources, From: events.From, Received: events.To}, partitions)
}

// everywhere appends a record for every partition of Matches to out.
func everywhere(out []stream.Record, m *topic.Match, partitions int) ([]stream.Record, error) {
	r, err := m.Record(partitions)
	if err != nil {
		return nil, err
	}
	for p := range partitions {
		r.Partition = p
		out = append(out, r)
	}
	return out, nil
}

// tell adds how far the senders' time has come, where it is time to, to every
// partition.
func (b *matchBatch) tell(out []stream.Record, partitions int) ([]stream.Record, error) {
	for _, times := range b.clock.tell() {
		m := topic.Match{Kind: topic.KindClock, Source: b.source, Sources: b.sources, Times: times}
		for _, t := range times {
			m.Received = later(m.Received, t)
		}
		var err error
		if out, err = everywhere(out, &m, partitions); err != nil {
			return nil, err
		}
	}
	return out, nil
}
