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

	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/stream"
)

// gappyLog is a log whose retention has removed the records [from, to).
type gappyLog struct {
	*memoryLog
	from, to int64
}

func (l *gappyLog) Partitions(string) int { return 3 }

func (l *gappyLog) Read(ctx context.Context, from int64, maxBytes int) ([]stream.Record, error) {
	switch {
	case from >= l.from && from < l.to:
		return nil, &stream.GapError{Topic: topic.Events, From: from, To: l.to}
	case from < l.from:
		return l.records[from:l.from], nil
	}
	return l.memoryLog.Read(ctx, from, maxBytes)
}

// The stage that matches tells every partition of matches which time it lost.
func TestLostEventsAreTold(t *testing.T) {
	set := countRule(t)
	start := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	log := &gappyLog{memoryLog: &memoryLog{rng: rand.New(rand.NewPCG(1, 1))}, from: 2, to: 5}
	for i := range 8 {
		r := (&topic.Event{Kind: topic.KindHeartbeat, Sender: "a", Received: start}).Record(1)
		r.Offset, r.Time = int64(i), start.Add(time.Duration(i)*time.Hour)
		log.records = append(log.records, r)
	}
	stage := NewMatching(set, log, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err := stage.Handle(context.Background(), log); !errors.Is(err, errDied) {
		t.Fatal(err)
	}
	var got []string
	for i := range log.out {
		m, err := topic.DecodeMatch(&log.out[i])
		if err != nil {
			t.Fatal(err)
		}
		if m.Kind == topic.KindGap {
			got = append(got, fmt.Sprint(log.out[i].Partition, " ", m.From.Format(time.TimeOnly), " to ", m.Received.Format(time.TimeOnly)))
		}
	}
	want := []string{"0 12:50:00 to 17:01:00", "1 12:50:00 to 17:01:00", "2 12:50:00 to 17:01:00"}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Findings of the time of a gap are degraded, whenever the stage that gathers
// them dies; others are not.
func TestGapDegradesFindings(t *testing.T) {
	set := countRule(t)
	rule := set.Rules[0]
	start := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	log := &memoryLog{rng: rand.New(rand.NewPCG(2, 1)), die: 0.3}
	for i := range 6000 { // ten hours
		now := start.Add(time.Duration(i) * 6 * time.Second)
		if i == 3000 {
			log.add(t, &topic.Match{Kind: topic.KindGap, Sources: 1, From: now.Add(-20 * time.Minute), Received: now})
		}
		log.add(t, &topic.Match{Kind: topic.KindProgress, Sources: 1, Sender: "a", Received: now})
		m := detect.Match{
			Rule: rule.ID, Version: rule.Version, Shape: rule.Shape, Cluster: "c",
			Key: detect.Key{{Name: "actor.name", Value: fmt.Sprint(i % 7)}}, Event: detect.EventRef{Time: now.Add(-time.Duration(i%9) * time.Minute)},
		}
		binary.BigEndian.PutUint32(m.Event.EventID[:], uint32(i+1))
		binary.BigEndian.PutUint32(m.Event.RequestID[:], uint32(i+1))
		log.add(t, &topic.Match{Kind: topic.KindMatch, Sources: 1, Sender: "a", Received: now, Match: m})
	}
	announced, starts := log.consumed(t, set)
	gap := start.Add(5 * time.Hour)
	degraded, others := 0, 0
	for _, f := range announced {
		if f.State != detect.StateClosed {
			continue
		}
		of := f.FirstSeen.Before(gap) && f.LastSeen.After(gap.Add(-20*time.Minute))
		near := f.LastSeen.After(gap.Add(-40*time.Minute)) && f.FirstSeen.Before(gap.Add(20*time.Minute))
		switch {
		case of && !f.Degraded:
			t.Errorf("a finding of the gap's time does not say so: %v to %v", f.FirstSeen, f.LastSeen)
		case !near && f.Degraded:
			t.Errorf("a finding of another time says that it is degraded: %v to %v", f.FirstSeen, f.LastSeen)
		case f.Degraded:
			degraded++
		default:
			others++
		}
	}
	t.Logf("%d starts, %d degraded, %d others", starts, degraded, others)
	if degraded < 10 || others < 100 || starts < 5 {
		t.Error("that shows little")
	}
}
