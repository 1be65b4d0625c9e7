package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/klaxon-dev/klaxon/stream"
	"github.com/klaxon-dev/klaxon/stream/kafka/kafkatest"
)

// Brokers die and come back while records are appended and read: what was
// acknowledged is read, in order, by a consumer that stays.
func TestBrokersDie(t *testing.T) {
	cluster := kafkatest.Start(t, 3)
	l := newLab(t, cluster, map[string]int{"events": 2}, "min.insync.replicas=2")
	cluster.Make(t, l.config.Topic("strict"), 1, "min.insync.replicas=3")
	l.topics = append(l.topics, "strict")
	writing, reading, strict := l.open(), l.open(), l.open()
	seen := map[string]bool{}
	var mu sync.Mutex
	leave := join(t, reading, func(ctx context.Context, c stream.Claim) error {
		for next := c.Position().Offset; ; {
			records, err := c.Read(ctx, next, 1<<16)
			if err != nil {
				return errIfAlive(ctx, err)
			}
			mu.Lock()
			for i := range records {
				if records[i].Offset != next {
					t.Errorf("partition %d: offset %d, want %d", c.Partition(), records[i].Offset, next)
				}
				seen[string(records[i].Value)] = true
				next++
			}
			mu.Unlock()
			if err := c.Commit(ctx, stream.Position{Offset: next}); err != nil {
				return errIfAlive(ctx, err)
			}
		}
	})
	stop := make(chan struct{})
	var acknowledged []string
	var refused int
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			value := fmt.Sprint(i)
			err := writing.Append(t.Context(), "events", []stream.Record{{Partition: i % 2, Value: []byte(value)}})
			switch {
			case err == nil:
				acknowledged = append(acknowledged, value)
			case errors.Is(err, stream.ErrUnavailable):
				refused++
			default:
				t.Errorf("append: %v", err)
				return
			}
		}
	})
	for id := 1; id <= 3; id++ {
		if id == 2 {
			cluster.Pause(t, id)
			time.Sleep(5 * time.Second) // longer than a broker's session
			cluster.Resume(t, id)
			continue
		}
		cluster.Kill(t, id)
		// What fewer brokers have than must is not acknowledged.
		if err := strict.Append(t.Context(), "strict", []stream.Record{{Value: []byte("x")}}); !errors.Is(err, stream.ErrUnavailable) {
			t.Errorf("append with two copies of three: %v", err)
		}
		cluster.Restart(t, id)
	}
	close(stop)
	writer.Wait()
	waitFor(t, "all that was acknowledged is read", func() bool {
		mu.Lock()
		defer mu.Unlock()
		for _, value := range acknowledged {
			if !seen[value] {
				return false
			}
		}
		return true
	})
	leave()
	t.Logf("%d acknowledged, %d refused, %d seen", len(acknowledged), refused, len(seen))
	if len(acknowledged) == 0 {
		t.Error("nothing was acknowledged")
	}
}

// While no broker is there, an Append is refused: the first after its attempts,
// the others at once; and one that comes after the broker is back is taken.
func TestNoBroker(t *testing.T) {
	cluster := kafkatest.Start(t, 1)
	log := newLab(t, cluster, map[string]int{"events": 1}).open()
	record := []stream.Record{{Value: []byte("x")}}
	if err := log.Append(t.Context(), "events", record); err != nil {
		t.Fatal(err)
	}
	cluster.Kill(t, 1)
	if err := log.Append(t.Context(), "events", record); !errors.Is(err, stream.ErrUnavailable) {
		t.Errorf("append without a broker: %v", err)
	}
	if log.Healthy() == nil {
		t.Error("a log without a broker is healthy")
	}
	probing := make(chan error, 1)
	go func() { probing <- log.Append(t.Context(), "events", record) }()
	waitFor(t, "one append tries", func() bool {
		log.outage.mu.Lock()
		defer log.outage.mu.Unlock()
		return log.outage.trying || len(probing) == 1
	})
	if len(probing) == 0 {
		if err := log.Append(t.Context(), "events", record); !errors.Is(err, stream.ErrUnavailable) {
			t.Errorf("append beside one that tries: %v", err)
		}
	}
	if err := <-probing; err == nil {
		t.Error("a record was taken without a broker")
	}
	cluster.Restart(t, 1)
	waitFor(t, "an append is taken", func() bool { return log.Append(t.Context(), "events", record) == nil })
	if err := log.Healthy(); err != nil {
		t.Errorf("after the outage: %v", err)
	}
}

// What retention has removed before it was read is named, never stepped over.
func TestGap(t *testing.T) {
	cluster := kafkatest.Start(t, 1, "log.retention.check.interval.ms=200", "log.segment.delete.delay.ms=0")
	l := newLab(t, cluster, map[string]int{"events": 1}, "retention.ms=1", "segment.ms=50")
	log := l.open()
	appendOne := func() {
		if err := log.Append(t.Context(), "events", []stream.Record{{Value: []byte("x")}}); err != nil {
			t.Error(err)
		}
	}
	appendOne()
	waitFor(t, "the log's start has moved", func() bool {
		time.Sleep(100 * time.Millisecond)
		appendOne()
		b, err := log.bounds(t.Context(), "events", []int{0})
		return err == nil && b[0].first > 0
	})
	gaps := make(chan *stream.GapError, 1)
	leave := join(t, log, func(ctx context.Context, c stream.Claim) error {
		_, err := c.Read(ctx, 0, 1)
		var gap *stream.GapError
		if !errors.As(err, &gap) {
			t.Errorf("read what is gone: %v", err)
		}
		gaps <- gap
		return nil
	})
	gap := <-gaps
	if gap == nil || gap.From != 0 || gap.To < 1 || gap.Topic != "events" {
		t.Errorf("the gap is %+v", gap)
	}
	leave()
}

// A partition that ends before what was read of it was replaced: an alarm.
func TestTopicMadeAnew(t *testing.T) {
	cluster := shared.Cluster(t)
	l := newLab(t, cluster, map[string]int{"events": 1})
	log := l.open()
	read := make(chan error, 1)
	leave := join(t, log, func(ctx context.Context, c stream.Claim) error {
		own := c.(*claim)
		read <- own.explain(ctx, 7, kafka.OffsetOutOfRange, alarmAfter+1)
		own.last = sighting{offset: 7, time: time.Now()}
		read <- own.explain(ctx, 0, kafka.OffsetOutOfRange, alarmAfter+1)
		return nil
	})
	for _, what := range []string{"read beyond the end", "look back in it"} {
		if err := <-read; !errors.Is(err, errCut) {
			t.Errorf("%s: %v", what, err)
		}
	}
	leave()
}

func TestBudget(t *testing.T) {
	b := newBudget(100)
	all, ok := b.take(t.Context(), 1000)
	if !ok || b.flying.Load() != 100 {
		t.Fatalf("more than the budget: %v, %d in flight", ok, b.flying.Load())
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, ok := b.take(ctx, 1); ok {
		t.Error("there was room in a full budget")
	}
	all()
	if _, ok := b.take(t.Context(), 1); !ok {
		t.Error("there was no room in an empty budget")
	}
}

func TestOutage(t *testing.T) {
	var o outage
	down := errors.New("down")
	all := func(what string) {
		t.Helper()
		for range 2 {
			if tries, err := o.enter(); tries || err != nil {
				t.Errorf("%s: %v, %v", what, tries, err)
			}
		}
	}
	one := func(what string) {
		t.Helper()
		if tries, err := o.enter(); !tries || err != nil {
			t.Errorf("%s nobody tries: %v", what, err)
		}
		if tries, err := o.enter(); tries || !errors.Is(err, down) {
			t.Errorf("%s two try at once: %v", what, err)
		}
	}
	all("before any failure")
	if !o.leave(false, down) || o.leave(false, down) {
		t.Error("the first failure is news, the second is not")
	}
	one("after a failure")
	if o.leave(false, down) { // of who came before the outage
		t.Error("a later failure is news")
	}
	if _, err := o.enter(); !errors.Is(err, down) {
		t.Error("who does not try lets another try")
	}
	o.abandon(true)
	one("after one gave up")
	o.leave(true, down)
	one("after one failed")
	if !o.leave(true, nil) {
		t.Error("the end of the outage is no news")
	}
	all("after the outage")
}

// A broker that says nothing any more costs who waits one round of attempts, not
// each who came meanwhile another one.
func TestSilentBroker(t *testing.T) {
	cluster := kafkatest.Start(t, 1)
	log := newLab(t, cluster, map[string]int{"events": 1}).open()
	record := []stream.Record{{Value: []byte("x")}}
	if err := log.Append(t.Context(), "events", record); err != nil {
		t.Fatal(err)
	}
	cluster.Pause(t, 1)
	began := time.Now()
	var took [4]time.Duration
	var work sync.WaitGroup
	for i := range took {
		work.Go(func() {
			if err := log.Append(t.Context(), "events", record); !errors.Is(err, stream.ErrUnavailable) {
				t.Errorf("append %d: %v", i, err)
			}
			took[i] = time.Since(began)
		})
		time.Sleep(time.Second) // so that each is in a batch of its own
	}
	work.Wait()
	for i := range took {
		if took[i] > took[0]*3/2 {
			t.Errorf("append %d was refused after %v, the first one after %v", i, took[i], took[0])
		}
	}
	cluster.Resume(t, 1)
	waitFor(t, "an append is taken", func() bool { return log.Append(t.Context(), "events", record) == nil })
}

func TestPositionForm(t *testing.T) {
	f := func(p stream.Position) {
		t.Helper()
		got, err := decodePosition(p.Offset, encodePosition(p))
		if err != nil || got != p {
			t.Errorf("%+v became %+v, %v", p, got, err)
		}
	}
	f(stream.Position{})
	f(stream.Position{Offset: 7})
	f(stream.Position{Offset: 7, Replay: 7, Metadata: "a\nb"})
	f(stream.Position{Offset: 7, Metadata: "x"})
	for _, text := range []string{"x", "klaxon/1 ", "klaxon/1 1", "klaxon/1 8\n", "klaxon/1 -1\n", "klaxon/2 1\n"} {
		if p, err := decodePosition(7, text); err == nil {
			t.Errorf("%q became %+v", text, p)
		}
	}
}
