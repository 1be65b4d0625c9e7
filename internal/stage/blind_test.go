package stage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/internal/recorded"
	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/rules"
	"github.com/klaxon-dev/klaxon/stream"
)

// Who is blind is counted by rule, cluster and resource; what clients chose is no
// label.
func TestBlindnessIsCounted(t *testing.T) {
	parsed, problems := rules.Parse("test.yaml", []byte("id: no-object\ntitle: t\nseverity: low\nwhen: object.kind == 'x'\n"), rules.OriginUser)
	if len(problems) > 0 {
		t.Fatal(problems.Error())
	}
	reg := prometheus.NewRegistry()
	set := &rules.Set{Rules: parsed}
	stage := NewMatching(set, nil, slog.New(slog.DiscardHandler), reg)
	batch := matchBatch{stage: stage, matcher: detect.NewMatcher(set), blind: newBlindCounts(0)}
	for i := range 100 {
		resource := "pods"
		if i >= 10 {
			resource = fmt.Sprint("made-up-", i)
		}
		item := fmt.Sprintf(`{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","stage":"ResponseComplete","verb":"create",`+
			`"objectRef":{"resource":%q},"requestReceivedTimestamp":"2026-01-01T00:00:00.000000Z","stageTimestamp":"2026-01-01T00:00:00.000000Z"}`, resource)
		if err := batch.one(&topic.Event{Cluster: "prod", Item: []byte(item)}, int64(i)); err != nil {
			t.Fatal(err)
		}
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]float64{}
	for _, family := range families {
		if family.GetName() != "klaxon_match_blind_total" {
			continue
		}
		for _, m := range family.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			counts[strings.Join(labels, " ")] = m.GetCounter().GetValue()
		}
	}
	if pods, other := counts["cluster=prod needs=Request resource=pods rule=no-object"], counts["cluster=prod needs=Request resource=other rule=no-object"]; len(counts) != 2 || pods != 10 || other != 90 {
		t.Errorf("%v", counts)
	}
}

// atMetadata are the recorded events as a policy of the level Metadata has them.
func atMetadata(t *testing.T) []topic.Event {
	t.Helper()
	events := attack(t)
	for i := range events {
		events[i].Item = recorded.AtMetadata(t, events[i].Item)
	}
	return events
}

// eventLog is a partition of events that begins shortly before the end of a
// segment.
func eventLog(t *testing.T, seed uint64) *memoryLog {
	t.Helper()
	const base = 3*segmentRecords - 2000
	l := &memoryLog{base: base, position: stream.Position{Offset: base}, rng: rand.New(rand.NewPCG(seed, 1))}
	add := func(e topic.Event) {
		r := e.Record(1)
		r.Offset = l.len()
		l.records = append(l.records, r)
	}
	events := atMetadata(t)
	for _, e := range events {
		add(e)
	}
	last := events[len(events)-1].Received
	add(topic.Event{Kind: topic.KindHeartbeat, Sender: "c", Received: last.Add(time.Hour)})
	return l
}

// counted adds up what was said of blindness, as the store does: of a segment, what
// goes farthest counts.
func (l *memoryLog) counted(t *testing.T) map[sight]int64 {
	t.Helper()
	type part struct {
		sight   sight
		segment int64
	}
	farthest := map[part]topic.Blindness{}
	for i := range l.blind {
		b, err := topic.DecodeBlindness(&l.blind[i])
		if err != nil {
			t.Fatal(err)
		}
		p := part{sight{b.Cluster, hour(b.Hour), b.Rule, b.Resource, b.Needs}, b.Segment}
		if old, found := farthest[p]; found && old.Until == b.Until && old.Evaluations != b.Evaluations {
			t.Errorf("%v: %d evaluations up to %d, and %d", p, b.Evaluations, b.Until, old.Evaluations)
		}
		if b.Until >= farthest[p].Until {
			farthest[p] = b
		}
	}
	sum := map[sight]int64{}
	for p, b := range farthest {
		sum[p.sight] += b.Evaluations
	}
	return sum
}

// Every evaluation that was blind is counted once, wherever the stage dies.
func TestBlindnessIsCountedOnce(t *testing.T) {
	set := builtin(t)
	want := map[sight]int64{}
	matcher := detect.NewMatcher(set)
	for _, received := range atMetadata(t) {
		var e audit.Event
		if err := audit.Scan(received.Item, &e); err != nil {
			t.Fatal(err)
		}
		matcher.Match(&detect.Input{Cluster: "c", Received: received.Received, Event: &e}, nil)
		for _, n := range matcher.Notes() {
			if n.Outcome == detect.OutcomeBlind {
				want[sight{"c", hour(e.StageTime), n.Rule, e.KnownResource(), e.Gap()}]++
			}
		}
	}
	if len(want) < 10 {
		t.Fatalf("the recording shows %d rules and resources", len(want))
	}
	for seed, die := range []float64{0, 0.15, 0.4} {
		l := eventLog(t, uint64(seed))
		l.die = die
		starts := 0
		for ; l.position.Offset < l.len(); starts++ {
			stage := NewMatching(set, l, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
			if err := stage.Handle(context.Background(), l); !errors.Is(err, errDied) {
				t.Fatal(err)
			}
		}
		if die > 0 && starts < 5 {
			t.Errorf("it started %d times", starts)
		}
		if diff := gocmp.Diff(want, l.counted(t), gocmp.AllowUnexported(sight{})); diff != "" {
			t.Errorf("%d starts (-want +counted):\n%s", starts, diff)
		}
	}
}

// Times and names that senders choose do not make many counts.
func TestBlindCountsAreBounded(t *testing.T) {
	received := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	b := newBlindCounts(0)
	add := func(i int, at time.Time) {
		e := audit.Event{StageTime: at, Verb: "create", ObjectRef: audit.ObjectRef{Resource: fmt.Sprint("r", i)}}
		b.add(int64(i), "c", "r", &e, received)
	}
	for i := range 1000 {
		add(i, received.Add(-maxBlindAge-time.Duration(i+1)*time.Hour))
		add(i, received.Add(time.Duration(i+1)*time.Hour))
		add(i, time.Time{})
	}
	if len(b.counts) != 1 || b.since != 0 {
		t.Errorf("%d counts from %d on", len(b.counts), b.since)
	}
	for cluster := range 2 {
		for i := range 8760 {
			e := audit.Event{StageTime: received.Add(-time.Duration(i) * time.Hour)}
			b.add(1, audit.ClusterID(fmt.Sprint(cluster)), "r", &e, received)
		}
	}
	if len(b.counts) > maxBlindHours+10 {
		t.Errorf("%d counts", len(b.counts))
	}
	if said, again := b.say(5), b.say(6); len(said) != len(b.counts) || len(again) != 0 {
		t.Errorf("%d are said, then %d", len(said), len(again))
	}
}
