package stage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/internal/seldom"
	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/rules"
	"github.com/klaxon-dev/klaxon/stream"
)

// Windowing is the second stage: it gathers matches into findings.
type Windowing struct {
	set     atomic.Pointer[rules.Set]
	apart   time.Duration
	limits  detect.Limits
	out     appender
	bad     *bad
	logger  *slog.Logger
	said    *seldom.Gate[rules.RuleID]
	metrics *windowMetrics
}

type windowMetrics struct {
	findings *prometheus.CounterVec
	live     *prometheus.GaugeVec
	memory   *prometheus.GaugeVec
	others   *prometheus.GaugeVec
	dropped  *prometheus.CounterVec
	late     prometheus.Counter
	lost     prometheus.Counter
	replayed prometheus.Counter
	retries  *prometheus.CounterVec
}

// NewWindowing returns the stage for a set of rules. Apart is how long, in the time
// of the log, rules that are not in the set are gathered by, if no match of them
// comes: processes that match may have read other files.
func NewWindowing(set *rules.Set, apart time.Duration, limits detect.Limits, log stream.Producer, logger *slog.Logger, reg prometheus.Registerer) *Windowing {
	m := &windowMetrics{
		findings: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "klaxon_window_findings_total", Help: "Findings that were announced, by what they were then (open or closed)."},
			[]string{"severity", "state"}),
		live: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "klaxon_window_live_findings", Help: "Findings that are open."},
			[]string{"partition"}),
		memory: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "klaxon_window_memory_bytes", Help: "Memory of open findings and of closed ones that are remembered, by estimate."},
			[]string{"partition"}),
		others: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "klaxon_window_other_rules", Help: "Rules, or versions of them, by which matches came lately and that the process's own rule files do not hold (yet, or any more): those who match have read others."},
			[]string{"partition"}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "klaxon_window_dropped_total", Help: "Findings closed early for room (evicted), keys that gave up the older half of their matches (full), matches of rules that the process does not have and that say nothing of them (unknown_rule), such matches of rules that it has with another window, and keys of rules that were removed or changed (changed_rule), matches that came after what they could have decided was decided (too_late), records that are no matches (undecodable), findings whose matches are gone (lost), or that the log does not take (too_large)."},
			[]string{"reason"}),
		late:     prometheus.NewCounter(prometheus.CounterOpts{Name: "klaxon_window_late_findings_total", Help: "Findings that opened, or opened again, after the time of their bucket had passed."}),
		lost:     prometheus.NewCounter(prometheus.CounterOpts{Name: "klaxon_window_lost_records_total", Help: "Records that retention removed before they were read."}),
		replayed: prometheus.NewCounter(prometheus.CounterOpts{Name: "klaxon_window_replayed_records_total", Help: "Records that were read again to restore open findings."}),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "klaxon_window_append_retries_total", Help: "Appends that were tried again because the log took no records."},
			[]string{"topic"}),
	}
	reg.MustRegister(m.findings, m.live, m.memory, m.others, m.dropped, m.late, m.lost, m.replayed, m.retries)
	s := &Windowing{
		apart:   apart,
		limits:  limits,
		bad:     newBad(logger),
		logger:  logger,
		said:    seldom.NewGate[rules.RuleID](time.Now),
		metrics: m,
		out: appender{log: log, logger: logger, backoffs: defaultBackoffs,
			retries: func(topic string) { m.retries.WithLabelValues(topic).Inc() }},
	}
	s.set.Store(set)
	return s
}

// SetRules makes the stage go on with another set, from the next batch that it
// reads ([detect.Windows.SetRules] and Retire say what becomes of open findings).
// It is safe for concurrent use.
func (s *Windowing) SetRules(set *rules.Set) { s.set.Store(set) }

// note is the metadata of the stage's position: what a replay starts with. The
// clock's place is at or before the horizon: between them time alone counts.
type note struct {
	Horizon *detect.Point `json:"horizon,omitempty"`
	Clock   *clockNote    `json:"clock,omitempty"`
	Holes   []detect.Hole `json:"holes,omitempty"`
}

// Handle consumes one partition of the topic Matches until ctx ends. It begins
// with a replay of what the open findings need, and announces nothing again
// that it had announced when its position was committed.
func (s *Windowing) Handle(ctx context.Context, claim stream.Claim) error {
	run, err := s.newRun(claim)
	if err != nil {
		return fmt.Errorf("position of %s/%d: %w", topic.Matches, claim.Partition(), err)
	}
	defer run.release()
	in := reader{claim: claim, logger: s.logger, next: run.ticks[0].offset, lost: func(n int64) { s.metrics.lost.Add(float64(n)) }}
	for {
		if err := run.tell(ctx, in.next); err != nil {
			return endOf(ctx, err)
		}
		records, err := in.read(ctx)
		if err != nil {
			return endOf(ctx, err)
		}
		if in.hole != nil {
			run.windows.Lost(in.hole.events())
		}
		if err := run.take(ctx, records); err != nil {
			return endOf(ctx, err)
		}
		run.ticks = run.ticks.add(in.next, run.clock)
		if in.next <= run.position {
			continue // still replaying
		}
		p, err := run.reached(in.next)
		if err != nil {
			return err
		}
		if err := claim.Commit(ctx, p); err != nil {
			return endOf(ctx, err)
		}
	}
}

// windowRun is the state of one partition while it is owned.
type windowRun struct {
	stage    *Windowing
	set      *rules.Set
	windows  *detect.Sharded
	position int64                    // findings of records before it were announced already
	horizon  int64                    // matches before it are not needed any more
	end      int64                    // of the log, when it was taken over
	told     bool                     // what is open
	gone     map[detect.Form][]string // versions of rules that are not in the set, until it is told
	clock    clock
	ticks    ticks // never empty
	claim    stream.Claim
	recent   map[int64]*detect.Match // of the records at hand, by offset
	said     []detect.Draft
	stats    detect.Stats
}

// newRun makes the state from which the replay of a partition begins: at the
// first of its ticks.
func (s *Windowing) newRun(claim stream.Claim) (*windowRun, error) {
	position, set := claim.Position(), s.set.Load()
	run := &windowRun{
		stage:    s,
		set:      set,
		windows:  detect.NewSharded(set, s.limits),
		position: position.Offset,
		horizon:  position.Offset,
		end:      max(claim.End(), position.Offset),
		gone:     map[detect.Form][]string{},
		clock:    clock{},
		claim:    claim,
		recent:   map[int64]*detect.Match{},
	}
	var n note
	if position.Metadata != "" {
		if err := json.Unmarshal([]byte(position.Metadata), &n); err != nil {
			return nil, err
		}
	}
	if n.Horizon != nil {
		run.horizon = n.Horizon.Offset
		run.windows.Resume(*n.Horizon)
	}
	for _, h := range n.Holes {
		run.windows.Lost(h)
	}
	first := tick{offset: run.horizon}
	if n.Clock != nil {
		var err error
		if first, err = n.Clock.tick(); err != nil {
			return nil, err
		}
		run.clock = first.clock.clone()
	}
	run.ticks = ticks{first}
	return run, nil
}

// reached returns the position that says that all before next is done.
func (r *windowRun) reached(next int64) (stream.Position, error) {
	horizon := r.windows.Horizon(next)
	if horizon.Offset == next { // nothing is held
		r.ticks = ticks{{offset: next, clock: r.clock.clone()}}
	}
	r.ticks = r.ticks.since(horizon.Offset)
	metadata, err := json.Marshal(note{Horizon: &horizon, Clock: newClockNote(r.ticks[0]), Holes: r.windows.Holes()})
	if err != nil {
		return stream.Position{}, err
	}
	return stream.Position{Offset: next, Replay: next - r.ticks[0].offset, Metadata: string(metadata)}, nil
}

// take hands records to the windows and announces what comes of it.
func (r *windowRun) take(ctx context.Context, records []stream.Record) error {
	clear(r.recent)
	r.said = r.said[:0]
	if set := r.stage.set.Load(); set != r.set {
		r.set = set
		r.windows.SetRules(set)
	}
	for i := range records {
		before := len(r.said)
		m, err := r.decode(&records[i])
		switch {
		case errors.Is(err, topic.ErrVersion):
			return fmt.Errorf("record %d of %s: %w", records[i].Offset, topic.Matches, err)
		case err != nil:
			r.stage.metrics.dropped.WithLabelValues("undecodable").Inc()
			r.stage.bad.say(topic.Matches, &records[i], err)
		case m.Kind == topic.KindClock, m.Kind == topic.KindProgress:
			if mark := r.clock.heard(&m); records[i].Offset >= r.horizon {
				r.said = r.windows.Advance(mark, r.said)
				r.said = r.windows.Retire(r.stage.apart, r.said)
			}
		case m.Kind == topic.KindGap:
			r.windows.Lost(detect.Hole{From: m.From, To: m.Received})
		case records[i].Offset < r.horizon:
		default:
			r.learn(&m)
			r.missed(&m.Match)
			r.recent[records[i].Offset] = &m.Match
			r.said = r.windows.Add(&m.Match, records[i].Offset, r.said)
		}
		if records[i].Offset < r.position {
			r.said = r.said[:before]
			r.stage.metrics.replayed.Inc()
		}
	}
	r.count()
	for said := range slices.Chunk(r.said, announcedAtOnce) {
		findings, err := r.fill(ctx, said)
		if err != nil {
			return err
		}
		if err := r.announce(ctx, findings); err != nil {
			return err
		}
	}
	return nil
}

// maxShown is how much of the id of a rule is logged that may be anybody's, bytes.
const maxShown = 80

// learn makes the windows know the rule of a match that they do not have, by what
// the match says of it. What it says must be of that rule and shape.
func (r *windowRun) learn(m *topic.Match) {
	if len(m.Rule) == 0 || r.windows.Knows(m.Match.Form()) {
		return
	}
	rule, err := rules.ReadDefinition(m.Rule)
	switch {
	case err != nil:
	case rule.ID != m.Match.Rule || rule.Shape != m.Match.Shape:
		err = errors.New("it is of another rule")
	case !r.windows.Learn(rule):
		err = errors.New("too many are known")
	}
	id := m.Match.Rule[:min(len(m.Match.Rule), maxShown)]
	switch {
	case !r.stage.said.Due(id):
	case err != nil:
		r.stage.logger.Error("matches are lost: their rule is not in the rule files of this process, and what they say of it is not taken", "rule", id, "error", err)
	default:
		r.stage.logger.Info("matches are of a rule that the rule files of this process do not hold, or not so: they are gathered as they say", "rule", id)
	}
}

// decode decodes a record that a matching stage may have written here.
func (r *windowRun) decode(record *stream.Record) (topic.Match, error) {
	m, err := topic.DecodeMatch(record)
	switch {
	case err != nil:
	case m.Sources != r.stage.out.log.Partitions(topic.Events):
		err = errSources
	case m.Kind == topic.KindMatch && !r.mine(&m.Match):
		err = errElsewhere
	}
	return m, err
}

var (
	errSources   = errors.New("the topic of events has another number of partitions")
	errElsewhere = errors.New("a match that belongs to another partition")
)

// mine reports whether a match belongs to the partition.
func (r *windowRun) mine(m *detect.Match) bool {
	return m.Fingerprint().Shard()%r.stage.out.log.Partitions(topic.Matches) == r.claim.Partition()
}

// announcedAtOnce bounds the findings that are in memory with all that they list:
// at the end of an hour, those of all its keys close.
const announcedAtOnce = 100

// fill makes findings of what was said, from the matches in the log.
func (r *windowRun) fill(ctx context.Context, said []detect.Draft) ([]detect.Finding, error) {
	listed, err := r.listed(ctx, said)
	if err != nil {
		return nil, err
	}
	var findings []detect.Finding
	for i := range said {
		f, err := said[i].Finding(func(offset int64) (*detect.Match, error) {
			if m := listed[offset]; m != nil {
				return m, nil
			}
			return r.match(ctx, offset)
		})
		switch {
		case errors.Is(err, stream.ErrLost):
			r.stage.metrics.dropped.WithLabelValues("lost").Inc()
			r.stage.logger.Error("a finding cannot be told: its matches were removed from the log", "rule", said[i].Rule.ID, "error", err)
		case err != nil:
			return nil, err
		default:
			findings = append(findings, f)
		}
	}
	return findings, nil
}

// Bounds of reading back: how much of the log is read at once, bytes, and how far
// apart two records are for what lies between them not to be read too.
const (
	backBytes = 256 << 10
	backApart = 1024
)

// listed returns the matches that findings list and that are not at hand, by
// offset. It reads the log in order, once for all of them: to read each by itself
// takes a request to a broker. What is lost or cannot be read is left out: match
// says why.
func (r *windowRun) listed(ctx context.Context, said []detect.Draft) (map[int64]*detect.Match, error) {
	var wanted []int64
	for i := range said {
		for _, ref := range said[i].Refs {
			if r.recent[ref.Offset] == nil {
				wanted = append(wanted, ref.Offset)
			}
		}
	}
	slices.Sort(wanted)
	wanted = slices.Compact(wanted)
	found := make(map[int64]*detect.Match, len(wanted))
	if len(wanted) == 0 {
		return found, nil
	}
	for next := wanted[0]; len(wanted) > 0; {
		if wanted[0]-next > backApart {
			next = wanted[0]
		}
		records, err := r.claim.Read(ctx, next, backBytes)
		var gap *stream.GapError
		switch {
		case errors.As(err, &gap):
			next = max(gap.To, next+1)
		case err != nil:
			return nil, err
		default:
			next = records[len(records)-1].Offset + 1
		}
		for i := range records {
			if _, ok := slices.BinarySearch(wanted, records[i].Offset); !ok {
				continue
			}
			if m, err := topic.DecodeMatch(&records[i]); err == nil {
				found[records[i].Offset] = &m.Match
			}
		}
		n, _ := slices.BinarySearch(wanted, next)
		wanted = wanted[n:]
	}
	return found, nil
}

// match returns the match at an offset of the log.
func (r *windowRun) match(ctx context.Context, offset int64) (*detect.Match, error) {
	if m := r.recent[offset]; m != nil {
		return m, nil
	}
	records, err := r.claim.Read(ctx, offset, 1)
	if err != nil {
		return nil, err
	}
	m, err := topic.DecodeMatch(&records[0])
	if err != nil {
		return nil, err
	}
	return &m.Match, nil
}

// announce appends findings. One that is larger than the log takes lists fewer
// events: its count stays.
func (r *windowRun) announce(ctx context.Context, findings []detect.Finding) error {
	records := make([]stream.Record, len(findings))
	for i := range findings {
		record, err := r.record(&findings[i])
		if err != nil {
			return err
		}
		records[i] = record
		r.stage.metrics.findings.WithLabelValues(findings[i].Severity, string(findings[i].State)).Inc()
	}
	err := r.stage.out.append(ctx, topic.Findings, records)
	if !errors.Is(err, stream.ErrTooLarge) {
		return err
	}
	for i := range findings {
		if err := r.announceLess(ctx, &findings[i]); err != nil {
			return err
		}
	}
	return nil
}

func (r *windowRun) record(f *detect.Finding) (stream.Record, error) {
	return topic.FindingRecord(f, r.stage.out.log.Partitions(topic.Findings))
}

// announceLess appends a finding with as much of what it lists as the log takes.
func (r *windowRun) announceLess(ctx context.Context, f *detect.Finding) error {
	for {
		record, err := r.record(f)
		if err != nil {
			return err
		}
		err = r.stage.out.append(ctx, topic.Findings, []stream.Record{record})
		if !errors.Is(err, stream.ErrTooLarge) {
			return err
		}
		if len(f.Events)+len(f.Values) == 0 {
			r.stage.metrics.dropped.WithLabelValues("too_large").Inc()
			r.stage.logger.Error("a finding is larger than the log takes", "rule", f.Rule, "id", f.ID, "error", err)
			return nil
		}
		f.Events, f.Values = f.Events[:len(f.Events)/2], f.Values[:len(f.Values)/2]
	}
}

func (r *windowRun) count() {
	now := r.windows.Stats()
	m := r.stage.metrics
	m.dropped.WithLabelValues("evicted").Add(float64(now.Evicted - r.stats.Evicted))
	m.dropped.WithLabelValues("full").Add(float64(now.Full - r.stats.Full))
	m.dropped.WithLabelValues("unknown_rule").Add(float64(now.Unknown - r.stats.Unknown))
	m.dropped.WithLabelValues("changed_rule").Add(float64(now.Changed - r.stats.Changed))
	m.dropped.WithLabelValues("too_late").Add(float64(now.TooLate - r.stats.TooLate))
	m.late.Add(float64(now.Late - r.stats.Late))
	partition := strconv.Itoa(r.claim.Partition())
	m.live.WithLabelValues(partition).Set(float64(now.Live))
	m.memory.WithLabelValues(partition).Set(float64(now.Bytes))
	m.others.WithLabelValues(partition).Set(float64(r.windows.Others()))
	r.stats = now
}

// release takes the partition out of what is shown: another has it now.
func (r *windowRun) release() {
	for _, of := range []*prometheus.GaugeVec{r.stage.metrics.live, r.stage.metrics.memory, r.stage.metrics.others} {
		of.DeleteLabelValues(strconv.Itoa(r.claim.Partition()))
	}
}
