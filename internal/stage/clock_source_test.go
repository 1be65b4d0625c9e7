package stage

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/rules"
	"github.com/klaxon-dev/klaxon/stream"
)

// What the windows hear of time takes one record a second for each partition of
// theirs, however many senders there are.
func TestClocksAreTold(t *testing.T) {
	start := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	log := &threeOf{}
	stage := NewMatching(&rules.Set{}, log, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	batch := matchBatch{stage: stage, source: 1, sources: 3, clock: newSourceClock(), blind: newBlindCounts(1)}
	batch.use(stage.set.Load())
	f := func(name string, want string, heard ...any) {
		t.Helper()
		var records []stream.Record
		for i := 0; i < len(heard); i += 2 {
			e := topic.Event{Kind: topic.KindHeartbeat, Sender: heard[i].(string), Received: start.Add(heard[i+1].(time.Duration))}
			records = append(records, e.Record(3))
		}
		out, err := batch.match(records)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for i := range out {
			m, err := topic.DecodeMatch(&out[i])
			if err != nil || m.Kind != topic.KindClock || m.Source != 1 || m.Sources != 3 {
				t.Fatalf("%s: %+v, %v", name, m, err)
			}
			times := map[string]string{}
			for sender, at := range m.Times {
				times[sender] = at.Sub(start).String()
			}
			got += fmt.Sprintf("%d%v", out[i].Partition, times)
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +told):\n%s", name, diff)
		}
	}
	to := func(what string) string { return "0" + what + "1" + what + "2" + what }
	const ms = time.Millisecond
	f("at first", to("map[a:10ms b:0s]"), "a", 10*ms, "b", 0*ms)
	f("too soon", "", "a", 500*ms, "b", 900*ms)
	f("all that moved", to("map[a:500ms b:1.01s c:1s]"), "c", 1000*ms, "b", 1010*ms)
	f("one that catches up while the others stand", to("map[d:-1h0m0s]"), "d", -time.Hour)
	f("and does not come far", "", "d", -time.Hour+999*ms)
	f("and comes on", to("map[d:-59m59s]"), "d", -time.Hour+1000*ms)
	f("nothing new", "", "a", 400*ms)
}

type threeOf struct{ stream.Producer }

func (threeOf) Partitions(string) int { return 3 }

// Senders come and go: those that are silent are forgotten, and of too many none is
// added.
func TestSourceClockIsBounded(t *testing.T) {
	start := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	c := newSourceClock()
	told := 0
	for i := range 10 * maxSenders {
		c.heard(fmt.Sprint(i), start.Add(time.Duration(i)*time.Second))
		for _, times := range c.tell() {
			told += len(times)
		}
	}
	if told != 10*maxSenders || len(c.senders) > int(silence/time.Second)+2 {
		t.Errorf("%d of %d senders were told of, %d are held", told, 10*maxSenders, len(c.senders))
	}
	for i := range 2 * maxSenders {
		c.heard(fmt.Sprint("at once ", i), c.newest)
	}
	portions := c.tell()
	if len(c.senders) != maxSenders || len(portions) < 2 || len(portions[0]) != toldAtOnce {
		t.Errorf("%d are held, %d portions", len(c.senders), len(portions))
	}
}

// The windows take what a klaxon before wrote too: a record for each sender.
func TestClocksOfOneSender(t *testing.T) {
	at := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	both, each := clock{}, clock{}
	var want, got time.Time
	for source := range 2 {
		times := map[string]time.Time{}
		for i, sender := range []string{"a", "b"} {
			times[sender] = at.Add(time.Duration(i+source) * time.Minute)
			r, err := (&topic.Match{Kind: topic.KindProgress, Source: source, Sources: 2, Sender: sender, Received: times[sender]}).Record(1)
			if err != nil {
				t.Fatal(err)
			}
			m, err := topic.DecodeMatch(&r)
			if err != nil {
				t.Fatal(err)
			}
			got = each.heard(&m)
		}
		want = both.heard(&topic.Match{Source: source, Sources: 2, Times: times})
	}
	if diff := gocmp.Diff(both, each); diff != "" || !want.Equal(got) || want.IsZero() {
		t.Errorf("%v and %v (-together +each):\n%s", want, got, diff)
	}
}
