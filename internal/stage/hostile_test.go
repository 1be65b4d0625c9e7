package stage

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/rules"
	"github.com/klaxon-dev/klaxon/stream"
)

// quiet writes an hour of matches, each record taken when it says, and returns
// when it ends.
func quiet(t *testing.T, log *memoryLog, set *rules.Set) time.Time {
	t.Helper()
	rule := set.Rules[0]
	now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	for i := range 600 {
		now = now.Add(6 * time.Second)
		m := topic.Match{Kind: topic.KindMatch, Sources: 2, Sender: "a", Received: now, Match: detect.Match{
			Rule: rule.ID, Version: rule.Version, Shape: rule.Shape, Cluster: "c",
			Key: detect.Key{{Name: "actor.name", Value: fmt.Sprint(i % 7)}}, Event: detect.EventRef{Time: now},
		}}
		binary.BigEndian.PutUint32(m.Match.Event.EventID[:], uint32(i+1))
		binary.BigEndian.PutUint32(m.Match.Event.RequestID[:], uint32(i+1))
		log.taken(t, &m, now)
		for source := range 2 {
			log.taken(t, &topic.Match{Kind: topic.KindProgress, Source: source, Sources: 2, Sender: "a", Received: now}, now)
		}
	}
	return now
}

// taken adds a record that the log took at a time.
func (l *memoryLog) taken(t *testing.T, m *topic.Match, at time.Time) {
	t.Helper()
	l.add(t, m)
	l.records[len(l.records)-1].Time = at
}

// Records that any client may have written among the matches change no finding,
// but for what they may: a gap degrades. None stops the stage.
func TestHostileMatches(t *testing.T) {
	set := countRule(t)
	want := func() []detect.Finding {
		log := &memoryLog{rng: rand.New(rand.NewPCG(1, 1))}
		quiet(t, log, set)
		announced, _ := log.consumed(t, set)
		return announced
	}()
	far := time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	mallory := detect.Match{Rule: set.Rules[0].ID, Version: set.Rules[0].Version, Shape: set.Rules[0].Shape, Key: detect.Key{{Name: "actor.name", Value: "0"}}}
	with := func(change func(m *detect.Match)) detect.Match { m := mallory; change(&m); return m }
	for name, m := range map[string]topic.Match{
		"progress of the year 9999":         {Kind: topic.KindProgress, Sources: 2, Sender: "a", Received: far},
		"progress of the year 1":            {Kind: topic.KindProgress, Sources: 2, Sender: "x", Received: time.Time{}.Add(time.Hour)},
		"progress of the past":              {Kind: topic.KindProgress, Sources: 2, Sender: "x", Received: time.Unix(5, 0)},
		"progress of more partitions":       {Kind: topic.KindProgress, Source: 60_000, Sources: 1 << 16, Sender: "a", Received: far},
		"progress of a long sender":         {Kind: topic.KindProgress, Sources: 2, Sender: strings.Repeat("x", 1<<20), Received: far},
		"match of a rule that is not there": {Kind: topic.KindMatch, Sources: 2, Sender: "a", Received: far, Match: with(func(m *detect.Match) { m.Rule = "\x1b[2J\x00\u202e" })},
		"match of another version":          {Kind: topic.KindMatch, Sources: 2, Sender: "a", Received: far, Match: with(func(m *detect.Match) { m.Version = "x" })},
		"match of the year 9999":            {Kind: topic.KindMatch, Sources: 2, Sender: "a", Received: far, Match: with(func(m *detect.Match) { m.Event.Time = far })},
		"match with another severity":       {Kind: topic.KindMatch, Sources: 2, Sender: "a", Received: far, Match: with(func(m *detect.Match) { m.Severity = "\x1b[2J" })},
	} {
		t.Run(name, func(t *testing.T) {
			log := &memoryLog{rng: rand.New(rand.NewPCG(1, 1))}
			end := quiet(t, log, set)
			half := log.records[len(log.records)/2:]
			log.records = log.records[: len(log.records)/2 : len(log.records)/2]
			for range 50 {
				log.taken(t, &m, log.records[len(log.records)-1].Time)
			}
			for _, r := range half {
				r.Offset = log.len()
				log.records = append(log.records, r)
			}
			announced, _ := log.consumed(t, set)
			if diff := gocmp.Diff(want, announced); diff != "" {
				t.Errorf("findings at %v (-without +with):\n%.2000s", end, diff)
			}
		})
	}
}

// A gap record that speaks of all times degrades what was found until it came.
func TestHostileGapEnds(t *testing.T) {
	set := countRule(t)
	log := &memoryLog{rng: rand.New(rand.NewPCG(1, 1))}
	at := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	log.taken(t, &topic.Match{Kind: topic.KindGap, Sources: 2, Received: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}, at)
	quiet(t, log, set)
	announced, _ := log.consumed(t, set)
	others := 0
	for _, f := range announced {
		if !f.Degraded {
			others++
		}
	}
	if others < 10 {
		t.Errorf("%d of %d findings are not degraded", others, len(announced))
	}
}

func progressOf(sender string, sources int, at time.Time) *topic.Match {
	return &topic.Match{Sources: sources, Received: at, Times: map[string]time.Time{sender: at}}
}

// However many senders a stranger makes up, those that are known are few, and so
// are the lines of the log.
func TestStrangersAreBounded(t *testing.T) {
	c, now := clock{}, time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	for i := range 2 * maxSenders {
		c.heard(progressOf(fmt.Sprint(i), 2, now))
	}
	if len(c) > maxSenders {
		t.Errorf("a clock has %d senders, more than %d", len(c), maxSenders)
	}
	later := now.Add(time.Hour)
	for i := range 2 * maxSenders {
		c.heard(progressOf(fmt.Sprint("new", i), 1, later))
	}
	if got := c.heard(progressOf("new0", 1, later)); !got.Equal(later.Add(-detect.Lateness)) {
		t.Errorf("after a flood it is %v, want %v", got, later.Add(-detect.Lateness))
	}

	var known labels
	blind := newBlindCounts(0)
	for i := range 2 * maxBlindCounts {
		known.of(fmt.Sprint(i))
		blind.add(int64(i), audit.ClusterID(fmt.Sprint(i)), "rule", &audit.Event{StageTime: now}, now)
	}
	if len(known.known) > maxLabels || known.of("0") != "0" || len(blind.counts) > maxBlindCounts+1 {
		t.Errorf("%d labels and %d counts", len(known.known), len(blind.counts))
	}

	var said bytes.Buffer
	log := &memoryLog{rng: rand.New(rand.NewPCG(1, 1))}
	stage := NewMatching(countRule(t), log, slog.New(slog.NewTextHandler(&said, nil)), prometheus.NewRegistry())
	for i := range 3 * maxSenders {
		r := (&topic.Event{Kind: topic.KindHeartbeat, Sender: fmt.Sprint(i), Received: now}).Record(1)
		if i%3 == 0 {
			r.Headers = []stream.Header{{Key: "v", Value: []byte("secret")}}
		}
		r.Offset = int64(i)
		log.records = append(log.records, r)
	}
	batch := matchBatch{
		stage: stage, sources: 1, clock: newSourceClock(), counts: map[rules.RuleID]int64{}, blind: newBlindCounts(0),
	}
	batch.use(stage.set.Load())
	if _, err := batch.match(log.records); err != nil {
		t.Fatal(err)
	}
	var count dto.Metric
	if err := stage.metrics.broken.Write(&count); err != nil || count.GetCounter().GetValue() != maxSenders {
		t.Errorf("%v bad records were counted, want %d (%v)", count.GetCounter().GetValue(), maxSenders, err)
	}
	if lines := strings.Count(said.String(), "\n"); lines != 1 || !strings.Contains(said.String(), "offset=0") || strings.Contains(said.String(), "secret") {
		t.Errorf("%d lines were said: %.500s", lines, said.String())
	}
	if err := stage.Handle(context.Background(), log); !errors.Is(err, errDied) {
		t.Error(err)
	}
}
