package stage

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/rules"
	"github.com/klaxon-dev/klaxon/stream"
)

// memoryLog is the partition that a test consumes, and what is announced. Its
// owner may die at a commit, before it or after.
type memoryLog struct {
	stream.Consumer
	base     int64 // offset of the first record
	records  []stream.Record
	position stream.Position
	out      []stream.Record // what the stage announces: findings and what is open, or matches
	blind    []stream.Record
	rng      *rand.Rand
	die      float64 // the chance at each commit
	read     int64   // as far as anybody has read
	portion  int     // the most that was announced at once
	replayed float64 // records that were read again
	most     int     // bytes of a record's value; 0: any number
	plain    bool    // matches say nothing of their rules, as those of a klaxon before
}

var errDied = errors.New("the process died")

func (l *memoryLog) Partitions(name string) int {
	if name == topic.Events && len(l.records) > 0 {
		if m, err := topic.DecodeMatch(&l.records[0]); err == nil { // as its records say
			return m.Sources
		}
	}
	return 1
}

func (l *memoryLog) Append(_ context.Context, name string, records []stream.Record) error {
	if name == topic.Blind {
		l.blind = append(l.blind, records...)
		return nil
	}
	for i := range records {
		if l.most > 0 && len(records[i].Value) > l.most {
			return fmt.Errorf("%d bytes: %w", len(records[i].Value), stream.ErrTooLarge)
		}
	}
	l.out = append(l.out, records...)
	l.portion = max(l.portion, len(records))
	return nil
}

func (l *memoryLog) Close() error              { return nil }
func (l *memoryLog) Partition() int            { return 0 }
func (l *memoryLog) Position() stream.Position { return l.position }
func (l *memoryLog) len() int64                { return l.base + int64(len(l.records)) }

// End is where the log ends for now, though Read goes on.
func (l *memoryLog) End() int64 { return min(l.len(), l.read+l.rng.Int64N(300)) }

// Read returns a few records; at the end of the log its owner dies.
func (l *memoryLog) Read(_ context.Context, from int64, _ int) ([]stream.Record, error) {
	if from == l.len() {
		return nil, errDied
	}
	to := min(l.len(), from+1+l.rng.Int64N(200))
	l.read = max(l.read, to)
	return l.records[from-l.base : to-l.base], nil
}

func (l *memoryLog) Commit(_ context.Context, p stream.Position) error {
	before, after := l.rng.Float64() < l.die, l.rng.Float64() < l.die
	if !before {
		l.position = p
	}
	if before || after {
		return errDied
	}
	return nil
}

// add appends a record.
func (l *memoryLog) add(t *testing.T, m *topic.Match) {
	t.Helper()
	r, err := m.Record(1)
	if err != nil {
		t.Fatal(err)
	}
	r.Offset = l.len()
	l.records = append(l.records, r)
}

// consumed runs stages until one has come to the end, and returns what was
// announced, without what was announced again.
func (l *memoryLog) consumed(t *testing.T, set *rules.Set) (announced []detect.Finding, starts int) {
	t.Helper()
	return l.consumedBy(t, 0, func(int) *rules.Set { return set })
}

// consumedBy is consumed by stages that each have the set of their start.
func (l *memoryLog) consumedBy(t *testing.T, apart time.Duration, set func(start int) *rules.Set) (announced []detect.Finding, starts int) {
	t.Helper()
	for l.position.Offset < l.len() {
		starts++
		stage := NewWindowing(set(starts), apart, detect.Limits{}, l, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
		if err := stage.Handle(context.Background(), l); !errors.Is(err, errDied) {
			t.Fatal(err)
		}
		var replayed dto.Metric
		if err := stage.metrics.replayed.Write(&replayed); err != nil {
			t.Fatal(err)
		}
		l.replayed += replayed.GetCounter().GetValue()
	}
	seen := map[string]bool{}
	for i := range l.out {
		if topic.KindOf(&l.out[i]) == topic.KindOpen {
			continue
		}
		f, err := topic.DecodeFinding(&l.out[i])
		if err != nil {
			t.Fatal(err)
		}
		if !seen[string(l.out[i].Value)] {
			announced = append(announced, f)
		}
		seen[string(l.out[i].Value)] = true
	}
	return announced, starts
}

// abandoned returns how many findings are open when somebody says which are, the
// last time and all times together, and how many of these are abandoned.
func (l *memoryLog) abandoned(t *testing.T) (last, open int, why map[detect.Reason]int) {
	t.Helper()
	why = map[detect.Reason]int{}
	findings := map[detect.FindingID]detect.Finding{}
	for i := range l.out {
		if topic.KindOf(&l.out[i]) != topic.KindOpen {
			f, err := topic.DecodeFinding(&l.out[i])
			if err != nil {
				t.Fatal(err)
			}
			if f.Count > findings[f.ID].Count || f.Count == findings[f.ID].Count && f.Revision >= findings[f.ID].Revision {
				findings[f.ID] = f
			}
			continue
		}
		said, err := topic.DecodeOpen(&l.out[i])
		if err != nil {
			t.Fatal(err)
		}
		last = 0
		for _, f := range findings {
			if f.State != detect.StateOpen {
				continue
			}
			last++
			open++
			if reason, abandoned := said.Abandoned(f.Fingerprint, rules.RuleID(f.Rule), f.RuleVersion); abandoned {
				why[reason]++
			}
		}
	}
	return last, open, why
}

// countRule finds two requests of an actor in ten minutes.
func countRule(t *testing.T) *rules.Set {
	t.Helper()
	return ruleSet(t, "id: two\ntitle: t\nseverity: low\nwhen: verb == 'get'\nwindow: {at_least: 2, within: 10m, by: [actor.name]}\nsuppress: 10m\n")
}

func ruleSet(t *testing.T, text string) *rules.Set {
	t.Helper()
	parsed, problems := rules.Parse("test.yaml", []byte(text), rules.OriginUser)
	if len(problems) > 0 {
		t.Fatal(problems.Error())
	}
	set, _ := rules.NewSet(parsed)
	return set
}

// fill writes matches of two senders, one of which lags in one partition by up to
// forty minutes, and is silent for a while.
func (l *memoryLog) fill(t *testing.T, rule *rules.Rule, n int) {
	t.Helper()
	start := time.Date(2026, 7, 1, 12, 0, 0, 1, time.UTC)
	for i := range n {
		now := start.Add(time.Duration(i) * 500 * time.Millisecond)
		m := topic.Match{Kind: topic.KindProgress, Source: l.rng.IntN(2), Sources: 2, Sender: []string{"a", "b"}[l.rng.IntN(2)], Received: now}
		switch {
		case m.Sender == "b" && i/2000%4 == 3:
			m.Sender = "a"
		case m.Sender == "b" && m.Source == 1:
			if i%40 > 0 {
				continue // it is seldom heard of
			}
			m.Received = now.Add(-time.Duration(i/50%40) * time.Minute)
		}
		if l.rng.IntN(3) == 0 {
			m.Kind = topic.KindMatch
			m.Match = detect.Match{
				Rule: rule.ID, Version: rule.Version, Shape: rule.Shape, Cluster: "c", Key: detect.Key{{Name: "actor.name", Value: fmt.Sprint(l.rng.IntN(100))}},
				Event: detect.EventRef{Time: m.Received.Add(-time.Duration(l.rng.IntN(15)) * time.Minute)},
			}
			if !l.plain {
				m.Rule = rule.Definition
			}
			binary.BigEndian.PutUint32(m.Match.Event.EventID[:], uint32(i))
			binary.BigEndian.PutUint32(m.Match.Event.RequestID[:], uint32(i))
		}
		l.add(t, &m)
	}
}

// What is announced does not depend on when a stage dies and starts again: time
// has come as far as it had, though a sender that lags is not heard of for long.
func TestRestartsChangeNothing(t *testing.T) {
	set := countRule(t)
	for seed := range uint64(2) {
		calm := &memoryLog{rng: rand.New(rand.NewPCG(seed, 1))}
		calm.fill(t, set.Rules[0], 15_000)
		want, _ := calm.consumed(t, set)
		closed, late := 0, 0
		last := map[detect.FindingID]detect.State{}
		for _, f := range want {
			if f.State == detect.StateClosed {
				closed++
			} else if last[f.ID] == detect.StateClosed {
				late++
			}
			last[f.ID] = f.State
		}
		if closed < 300 || late < 3 {
			t.Fatalf("%d findings close, %d open again: the stream shows little", closed, late)
		}
		struck := &memoryLog{rng: rand.New(rand.NewPCG(seed, 2)), records: calm.records, die: 0.2}
		got, starts := struck.consumed(t, set)
		if starts < 20 {
			t.Fatalf("it started %d times", starts)
		}
		if calm.replayed != 0 || struck.replayed == 0 {
			t.Errorf("%v records were replayed, %v without restarts", struck.replayed, calm.replayed)
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Fatalf("seed %d, %d starts, announced (-without restarts +with):\n%.4000s", seed, starts, diff)
		}
		if _, open, why := struck.abandoned(t); open < 1000 || len(why) > 0 {
			t.Errorf("of %d open findings, some are said to be abandoned: %v", open, why)
		}
	}
}

// A stage that starts says which findings are open: those of rules that were
// removed or changed meanwhile, and of matches that were lost, are not.
func TestStartAbandonsWhatNobodyHolds(t *testing.T) {
	before := countRule(t)
	g := func(name string, after *rules.Set, lose, plain bool, want detect.Reason) {
		t.Helper()
		l := &memoryLog{rng: rand.New(rand.NewPCG(1, 1)), plain: plain}
		l.fill(t, before.Rules[0], 2_000)
		l.add(t, &topic.Match{Kind: topic.KindProgress, Sources: 2, Sender: "a", Received: time.Unix(1, 0)})
		l.consumed(t, before)
		_, _, why := l.abandoned(t)
		if len(why) > 0 {
			t.Fatalf("%s: abandoned before anything happened: %v", name, why)
		}
		if lose {
			l.position = stream.Position{Offset: l.len()} // as of a log that begins there
		}
		stage := NewWindowing(after, 0, detect.Limits{}, l, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
		if err := stage.Handle(context.Background(), l); !errors.Is(err, errDied) {
			t.Fatal(err)
		}
		open, _, why := l.abandoned(t)
		if open < 20 {
			t.Fatalf("%s: %d are open", name, open)
		}
		wantWhy := map[detect.Reason]int{}
		if want != "" {
			wantWhy[want] = open
		}
		if diff := gocmp.Diff(wantWhy, why); diff != "" {
			t.Errorf("%s: abandoned (-want +got):\n%s", name, diff)
		}
	}
	f := func(name string, after *rules.Set, lose bool, want detect.Reason) {
		t.Helper()
		g(name, after, lose, false, want)
		g(name+", of matches that do not say what their rule is", after, lose, true, want)
	}
	const other = "id: other\ntitle: t\nseverity: low\nwhen: verb == 'get'\n"
	f("nothing", before, false, "")
	f("removed", ruleSet(t, other), false, detect.ReasonRuleRemoved)
	f("changed", ruleSet(t, "id: two\ntitle: t\nseverity: low\nwhen: verb == 'get'\nwindow: {at_least: 3, within: 10m, by: [actor.name]}\nsuppress: 10m\n"), false, detect.ReasonRuleChanged)
	f("lost", before, true, detect.ReasonLost)
}
