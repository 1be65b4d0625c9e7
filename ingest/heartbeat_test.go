package ingest

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/stream"
)

func TestHeartbeatGoesToEveryPartitionForEverySender(t *testing.T) {
	c := newClock()
	r := newReceiverTest(t, func(s *receiverSetup) { s.now = c.now })
	r.setToken("dev", tokenB)
	c.advance(recheckEvery)
	r.must(r.receiver.Heartbeat(t.Context()))
	beats := map[string]int{}
	for _, e := range r.log.events(t, topic.KindHeartbeat) {
		if !e.Received.Equal(c.now()) {
			t.Errorf("heartbeat of %s at %v, want %v", e.Sender, e.Received, c.now())
		}
		beats[e.Sender]++
	}
	if beats["prod"] != memoryPartitions || beats["dev"] != memoryPartitions {
		t.Errorf("heartbeats %v, want %d of each sender", beats, memoryPartitions)
	}
}

func TestHeartbeatWaitsForASlowRequest(t *testing.T) {
	c := newClock()
	r := newReceiverTest(t, func(s *receiverSetup) { s.now = c.now })
	received := c.now()
	pr, pw := io.Pipe()
	done := make(chan error, 1)
	go func() {
		req, err := http.NewRequest(http.MethodPost, r.url+"/webhook/prod", pr)
		if err != nil {
			done <- err
			return
		}
		req.Header.Set("Authorization", "Bearer "+tokenA)
		res, err := r.client.Do(req)
		if err == nil {
			res.Body.Close()
		}
		done <- err
	}()
	head, tail, _ := strings.Cut(list(event("slow")), `"items"`)
	_, err := io.WriteString(pw, head)
	r.must(err)
	r.waitFor("the request", func() bool { return metric(t, r.metrics, "klaxon_ingest_received_bytes_total") > 0 })

	c.advance(time.Minute)
	r.must(r.receiver.Heartbeat(t.Context()))
	for _, e := range r.log.events(t, topic.KindHeartbeat) {
		if e.Received.After(received) {
			t.Errorf("heartbeat at %v, while a request of %v is in progress", e.Received, received)
		}
	}
	_, err = io.WriteString(pw, `"items"`+tail)
	r.must(err)
	pw.Close()
	r.must(within(t, "the request", done))
	if got := r.log.events(t, topic.KindEvent); len(got) != 1 || !got[0].Received.Equal(received) {
		t.Errorf("events %v", got)
	}
	r.must(r.receiver.Heartbeat(t.Context()))
	if !r.newest(topic.KindHeartbeat).Equal(c.now()) {
		t.Error("the heartbeat does not go on after the request")
	}
}

func (r *receiverTest) newest(kind topic.Kind) (newest time.Time) {
	r.t.Helper()
	for _, e := range r.log.events(r.t, kind) {
		if e.Received.After(newest) {
			newest = e.Received
		}
	}
	return newest
}

// TestHeartbeatsNeverOvertake has many senders' requests and heartbeats race,
// and reads the log as a consumer does: behind a heartbeat there is no event of
// its sender that was received before it.
func TestHeartbeatsNeverOvertake(t *testing.T) {
	r := newReceiverTest(t)
	r.log.refuse(func(_ context.Context, _ string, records []stream.Record) error {
		for range rand.IntN(200) { // a disk of uneven speed
			runtime.Gosched()
		}
		return nil
	})
	stop := make(chan struct{})
	var beats, posts sync.WaitGroup
	beats.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if err := r.receiver.Heartbeat(context.Background()); err != nil {
					t.Error(err)
				}
			}
		}
	})
	for w := range 8 {
		posts.Go(func() {
			for i := range 25 {
				got := r.postTo(r.client, "/webhook/prod", tokenA, strings.NewReader(list(event(fmt.Sprint(w, i)), event(fmt.Sprint(w, i, "b")))))
				if got.code != http.StatusOK {
					t.Errorf("got %d %s", got.code, got.text)
				}
			}
		})
	}
	posts.Wait()
	close(stop)
	beats.Wait()
	horizon := map[int]time.Time{} // by partition
	events := 0
	for _, record := range r.log.records[topic.Events] {
		e, err := topic.DecodeEvent(&record)
		r.must(err)
		if e.Kind == topic.KindHeartbeat {
			horizon[record.Partition] = e.Received
			continue
		}
		events++
		if e.Received.Before(horizon[record.Partition]) {
			t.Fatalf("an event received at %v lies behind a heartbeat of %v", e.Received, horizon[record.Partition])
		}
	}
	if events != 400 || len(horizon) != memoryPartitions {
		t.Errorf("%d events, heartbeats in %d partitions", events, len(horizon))
	}
}

func TestRunHeartbeats(t *testing.T) {
	r := newReceiverTest(t)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			r.receiver.RunHeartbeats(ctx, 10*time.Second)
		}()
		time.Sleep(25 * time.Second)
		synctest.Wait()
		if got := len(r.log.events(t, topic.KindHeartbeat)); got != 2*memoryPartitions {
			t.Errorf("%d heartbeats in 25 s, want 2 rounds", got)
		}
		r.log.refuse(func(context.Context, string, []stream.Record) error { return stream.ErrUnavailable })
		time.Sleep(10 * time.Second)
		r.log.refuse(nil)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if got := len(r.log.events(t, topic.KindHeartbeat)); got != 3*memoryPartitions {
			t.Errorf("%d heartbeats, want 3 rounds: one failed", got)
		}
		cancel()
		<-done
	})
	if !strings.Contains(r.logged.String(), "time stands still") {
		t.Error("a round that failed is not logged")
	}
}
