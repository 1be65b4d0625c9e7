package ingest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/stream"
	"github.com/klaxon-dev/klaxon/stream/local"
)

// nullLog takes everything at once.
type nullLog struct{}

func (nullLog) Partitions(string) int                                 { return 8 }
func (nullLog) Append(context.Context, string, []stream.Record) error { return nil }

// BenchmarkPost measures a recorded request of 400 Metadata events, over TLS
// and HTTP/2, up to a log that costs nothing. The client's part is in it. Run
// it with -cpu 1 for the figure of one core.
func BenchmarkPost(b *testing.B) { benchmarkPosts(b, nullLog{}, 1) }

// BenchmarkReceive measures the same into the log as serve runs it, synced to
// disk before each answer, from as many requests at once as an API server sends
// when it has much to send.
func BenchmarkReceive(b *testing.B) { benchmarkPosts(b, localLog(b), 8) }

// localLog is the log of serve, in a directory of the benchmark.
func localLog(b *testing.B) stream.Producer {
	b.Helper()
	var c local.Config
	c.SetDefaults()
	log, err := local.Open(b.TempDir(), c, local.Options{
		Topics: map[string]local.TopicConfig{topic.Events: {Partitions: 1}, topic.DeadLetters: {Partitions: 1}},
		Logger: testLogger(io.Discard),
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := log.Close(); err != nil {
			b.Error(err)
		}
	})
	return log
}

func benchmarkPosts(b *testing.B, log stream.Producer, senders int) {
	body := recordedPosts(b)["metadata-000009-ok-380e9208b9f86ee6.json.gz"]
	events := len(itemsOf(b, body))
	r := newReceiverTest(b, func(s *receiverSetup) { s.log = log })
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	before := cpuTime(b)
	b.ResetTimer()
	var posts atomic.Int64
	var work sync.WaitGroup
	for range senders {
		work.Go(func() {
			for posts.Add(1) <= int64(b.N) {
				got, err := r.tryTo(r.client, "/webhook/prod?timeout=30s", tokenA, bytes.NewReader(body))
				if err != nil || got.code != http.StatusOK {
					b.Errorf("%d %s, %v", got.code, got.text, err)
				}
			}
		})
	}
	work.Wait()
	b.StopTimer() // stopping the server waits
	b.ReportMetric(float64(b.N*events)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(b.N*events)/(cpuTime(b)-before).Seconds(), "events/cpu-s")
}

// cpuTime is what this process has used: on a machine that is shared it says
// more than the time that went by.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
