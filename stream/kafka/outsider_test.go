package kafka

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A stranger who joins the group with a protocol of his own keeps nobody out for
// longer than he is there, and takes nothing from those who are.
func TestOutsiderInGroup(t *testing.T) {
	l := newLab(t, shared.Cluster(t), map[string]int{"events": 2})
	log := l.open()
	outsider := func() *kgo.Client {
		return l.foreign(kgo.ConsumerGroup(l.config.Topic("events.readers")), kgo.ConsumeTopics(l.config.Topic("events")))
	}
	first := outsider()
	polling, stop := context.WithCancel(t.Context())
	var polls sync.WaitGroup
	poll := func(c *kgo.Client) {
		polls.Go(func() {
			for polling.Err() == nil {
				c.PollFetches(polling)
			}
		})
	}
	poll(first)
	waitFor(t, "the outsider has the group", func() bool {
		_, generation := first.GroupMetadata()
		return generation > 0
	})
	var said bytes.Buffer
	var mu sync.Mutex
	log.logger = slog.New(slog.NewTextHandler(writer(func(p []byte) { mu.Lock(); defer mu.Unlock(); said.Write(p) }), &slog.HandlerOptions{Level: slog.LevelDebug}))
	j := newJournal()
	leave := join(t, log, j.reading("a"))
	waitFor(t, "it is said why", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return strings.Contains(said.String(), "Inconsistent Group Protocol")
	})
	first.LeaveGroup()
	stop()
	first.Close()
	polls.Wait()
	waitFor(t, "the member has its partitions", func() bool {
		j.mu.Lock()
		defer j.mu.Unlock()
		return j.starts["a0"] == 1 && j.starts["a1"] == 1
	})

	polling, stop = context.WithCancel(t.Context())
	poll(outsider())
	for i := range 3 {
		l.append(log, "x", "y")
		waitFor(t, "both partitions are read on", func() bool {
			j.mu.Lock()
			defer j.mu.Unlock()
			return j.read["a0"]+j.read["a1"] >= int64(2*i+1)
		})
	}
	stop()
	polls.Wait()
	leave()
	if j.starts["a0"] != 1 || j.starts["a1"] != 1 {
		t.Errorf("handlers started %v", j.starts)
	}
}

type writer func([]byte)

func (w writer) Write(p []byte) (int, error) { w(p); return len(p), nil }
