package stage

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
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
	"github.com/klaxon-dev/klaxon/stream/local"
)

// attack returns the events of the recorded attack as records of the log: received
// when they happened, in the order of the recording.
func attack(t *testing.T) []topic.Event {
	t.Helper()
	var events []topic.Event
	for _, item := range recorded.Lines(t, recorded.Attack) {
		var e audit.Event
		if err := audit.Scan(item, &e); err != nil {
			t.Fatal(err)
		}
		events = append(events, topic.Event{
			Kind: topic.KindEvent, ID: e.ID("c"), Cluster: "c", Sender: "c", Received: e.StageTime, Item: item,
		})
	}
	return events
}

func builtin(t *testing.T) *rules.Set {
	t.Helper()
	set, problems := rules.Load(rules.Sources{})
	if len(problems) > 0 {
		t.Fatal(problems.Error())
	}
	return set
}

// pipeline is both stages on a log on disk. It can be stopped and started.
type pipeline struct {
	t    *testing.T
	dir  string
	set  *rules.Set
	log  *local.Log
	stop func()

	matching  *Matching
	windowing *Windowing
}

const partitions = 3

func (p *pipeline) start() {
	p.t.Helper()
	log, err := local.Open(p.dir, local.Config{}, local.Options{
		Topics: map[string]local.TopicConfig{
			topic.Events: {Partitions: partitions},
			// Each start removes what no stage reads any more.
			topic.Matches:  {Partitions: partitions, Retention: time.Millisecond},
			topic.Findings: {Partitions: partitions},
			topic.Blind:    {Partitions: partitions},
		},
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		p.t.Fatal(err)
	}
	p.log = log
	ctx, cancel := context.WithCancel(context.Background())
	reg, logger := prometheus.NewRegistry(), slog.New(slog.DiscardHandler)
	matching := NewMatching(p.set, log, logger, reg)
	windowing := NewWindowing(p.set, 0, detect.Limits{}, log, logger, reg)
	done := make(chan error, 2)
	go func() { done <- log.Consume(ctx, topic.Events, "match", matching.Handle) }()
	go func() { done <- log.Consume(ctx, topic.Matches, "window", windowing.Handle) }()
	p.matching, p.windowing = matching, windowing
	p.stop = func() {
		cancel()
		for range 2 {
			if err := <-done; err != nil && ctx.Err() == nil {
				p.t.Error(err)
			}
		}
		if err := log.Close(); err != nil {
			p.t.Error(err)
		}
	}
}

func (p *pipeline) append(events []topic.Event) {
	p.t.Helper()
	var records []stream.Record
	for i := range events {
		if events[i].Kind == topic.KindHeartbeat {
			for n := range partitions {
				r := events[i].Record(partitions)
				r.Partition = n
				records = append(records, r)
			}
			continue
		}
		records = append(records, events[i].Record(partitions))
	}
	if err := p.log.Append(context.Background(), topic.Events, records); err != nil {
		p.t.Fatal(err)
	}
}

// findings reads all that was announced until want findings have closed.
func (p *pipeline) closed(want int) map[detect.FindingID]detect.Finding {
	p.t.Helper()
	return p.closedOf(want, func(detect.Finding) bool { return true })
}

// closedOf is closed of some findings.
func (p *pipeline) closedOf(want int, of func(detect.Finding) bool) map[detect.FindingID]detect.Finding {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	found := make(chan detect.Finding)
	go func() {
		_ = p.log.Consume(ctx, topic.Findings, "test", func(ctx context.Context, c stream.Claim) error {
			for from := int64(0); ; {
				records, err := c.Read(ctx, from, 1<<20)
				if err != nil {
					return nil
				}
				for i := range records {
					if topic.KindOf(&records[i]) == topic.KindOpen {
						continue
					}
					f, err := topic.DecodeFinding(&records[i])
					if err != nil {
						return err
					}
					select {
					case found <- f:
					case <-ctx.Done():
						return nil
					}
				}
				from = records[len(records)-1].Offset + 1
			}
		})
	}()
	closed := map[detect.FindingID]detect.Finding{}
	for len(closed) < want {
		select {
		case f := <-found:
			if f.State == detect.StateClosed && of(f) {
				closed[f.ID] = f
			}
		case <-ctx.Done():
			p.t.Fatalf("%d findings have closed, want %d", len(closed), want)
		}
	}
	return closed
}

// scanned is what one pass over the events finds, without log or stages.
func scanned(t *testing.T, set *rules.Set, events []topic.Event) []detect.Finding {
	t.Helper()
	matcher, windows := detect.NewMatcher(set), detect.NewSharded(set, detect.Limits{})
	var log detect.Memory
	for i := range events {
		var e audit.Event
		if err := audit.Scan(events[i].Item, &e); err != nil {
			t.Fatal(err)
		}
		in := detect.Input{Cluster: "c", Received: events[i].Received, ID: events[i].ID, RequestID: e.RequestID("c"), Event: &e}
		for _, m := range matcher.Match(&in, nil) {
			windows.Add(&m, log.Append(&m), nil)
		}
	}
	var found []detect.Finding
	for _, d := range windows.Finish(nil) {
		f, err := d.Finding(log.Read)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, f)
	}
	return byID(found)
}

func byID(fs []detect.Finding) []detect.Finding {
	slices.SortFunc(fs, func(a, b detect.Finding) int { return cmp.Compare(a.ID.String(), b.ID.String()) })
	return fs
}

// The stages close the findings that a scan of the same events prints, however
// often they are stopped amid the events and whatever comes twice.
func TestStagesEqualScan(t *testing.T) {
	set := builtin(t)
	events := attack(t)
	want := scanned(t, set, events)
	if len(want) < 50 {
		t.Fatalf("the recording has %d findings", len(want))
	}
	p := &pipeline{t: t, dir: t.TempDir(), set: set}
	p.start()
	for part := range slices.Chunk(events, len(events)/6) {
		p.append(part)
		p.append(part[:len(part)/3]) // sent again
		p.stop()
		p.start()
	}
	last := events[len(events)-1].Received
	heartbeat := topic.Event{Kind: topic.KindHeartbeat, Sender: "c", Received: last.Add(2 * time.Hour)}
	p.append([]topic.Event{heartbeat})
	var got []detect.Finding
	for _, f := range p.closed(len(want)) {
		got = append(got, f)
	}
	p.stop()
	if diff := gocmp.Diff(want, byID(got)); diff != "" {
		t.Errorf("closed findings (-scan +stages):\n%s", diff)
	}
}

// A record that is no event costs nothing but itself.
func TestUndecodableRecordIsStepped(t *testing.T) {
	set := builtin(t)
	events := attack(t)[:200]
	want := scanned(t, set, events)
	p := &pipeline{t: t, dir: t.TempDir(), set: set}
	p.start()
	var bad []stream.Record
	for n := range partitions {
		bad = append(bad, stream.Record{Partition: n, Value: []byte("nonsense")})
	}
	for _, name := range []string{topic.Events, topic.Matches} {
		if err := p.log.Append(context.Background(), name, bad); err != nil {
			t.Fatal(err)
		}
	}
	p.append(events)
	p.append([]topic.Event{{Kind: topic.KindHeartbeat, Sender: "c", Received: events[len(events)-1].Received.Add(2 * time.Hour)}})
	if got := p.closed(len(want)); len(got) != len(want) {
		t.Errorf("%d findings, want %d", len(got), len(want))
	}
	p.stop()
}

// A record of a newer klaxon stops a stage: stepping over it would lose it.
func TestNewerRecordStops(t *testing.T) {
	set := builtin(t)
	logger := slog.New(slog.DiscardHandler)
	f := func(name string, handler func(stream.Log) func(context.Context, stream.Claim) error) {
		t.Helper()
		log, err := local.Open(t.TempDir(), local.Config{}, local.Options{
			Topics: map[string]local.TopicConfig{name: {Partitions: partitions}}, Logger: logger,
		})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = log.Close() }()
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		newer := stream.Record{Headers: []stream.Header{{Key: "v", Value: []byte("2.0")}}}
		if err := log.Append(ctx, name, []stream.Record{newer}); err != nil {
			t.Fatal(err)
		}
		if err := log.Consume(ctx, name, "g", handler(log)); !errors.Is(err, topic.ErrVersion) {
			t.Errorf("%s: %v, want %v", name, err, topic.ErrVersion)
		}
	}
	f(topic.Events, func(log stream.Log) func(context.Context, stream.Claim) error {
		return NewMatching(set, log, logger, prometheus.NewRegistry()).Handle
	})
	f(topic.Matches, func(log stream.Log) func(context.Context, stream.Claim) error {
		return NewWindowing(set, 0, detect.Limits{}, log, logger, prometheus.NewRegistry()).Handle
	})
}
