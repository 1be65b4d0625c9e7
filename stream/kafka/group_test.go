package kafka

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/segmentio/kafka-go"

	"github.com/klaxon-dev/klaxon/stream"
)

// Partitions that somebody adds are nobody's: what a record belongs to decides
// its partition among those that there were.
func TestAddedPartitionsAreNobodys(t *testing.T) {
	l := newLab(t, shared.Cluster(t), map[string]int{"events": 2})
	log := l.open()
	name := l.config.Topic("events")
	answer, err := log.client.CreatePartitions(t.Context(), &kafka.CreatePartitionsRequest{Topics: []kafka.TopicPartitionsConfig{{Name: name, Count: 4}}})
	if err != nil || answer.Errors[name] != nil {
		t.Fatal(err, answer)
	}
	waitFor(t, "the group sees them", func() bool {
		conn, err := log.dialer.DialContext(t.Context(), "tcp", l.config.Brokers[0])
		if err != nil {
			return false
		}
		defer func() { _ = conn.Close() }()
		partitions, err := conn.ReadPartitions(name)
		return err == nil && len(partitions) == 4
	})
	j := newJournal()
	leave := join(t, log, j.reading("a"))
	waitFor(t, "the member has what there was", func() bool {
		j.mu.Lock()
		defer j.mu.Unlock()
		return j.starts["a0"] == 1 && j.starts["a1"] == 1
	})
	leave()
	if len(j.starts) != 2 {
		t.Errorf("handlers were started for %v", j.starts)
	}
}

// A group whose position the brokers have forgotten, after records were removed,
// may have lost them: that is said.
func TestForgottenPosition(t *testing.T) {
	cluster := shared.Cluster(t)
	l := newLab(t, cluster, map[string]int{"events": 1})
	var said bytes.Buffer
	log := l.open()
	log.logger = slog.New(slog.NewTextHandler(&said, nil))
	l.append(log, "0", "1", "2")
	cluster.DeleteRecords(t, l.config.Topic("events"), 0, 2)
	positions := make(chan stream.Position, 1)
	leave := join(t, log, func(ctx context.Context, c stream.Claim) error {
		positions <- c.Position()
		<-ctx.Done()
		return nil
	})
	if p := <-positions; p != (stream.Position{Offset: 2}) {
		t.Errorf("it begins at %+v, want 2", p)
	}
	leave()
	if !strings.Contains(said.String(), "level=ERROR") || !strings.Contains(said.String(), "partition=0 first=2") {
		t.Errorf("it said %q", said.String())
	}
}

// A coordinator that takes no position is asked again for as long as it takes, and
// that is said once.
func TestCommitIsTriedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said bytes.Buffer
		log := &Log{client: &kafka.Client{Transport: nobody{}}, logger: slog.New(slog.NewTextHandler(&said, nil))}
		log.metrics = newMetrics(log)
		c := newClaim(&member{log: log, topic: "events", group: "readers"}, 3, place{end: 9}, ticket{}, nil)
		ctx, cancel := context.WithTimeout(t.Context(), 10*alarmAfter)
		defer cancel()
		if err := c.Commit(ctx, stream.Position{Offset: 7}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("commit: %v", err)
		}
		if n := strings.Count(said.String(), "level=ERROR"); n != 1 || !strings.Contains(said.String(), "partition=3 offset=7 error=") {
			t.Errorf("it said %q", said.String())
		}
		if p := c.Position(); p.Offset != 0 {
			t.Errorf("the position is %+v", p)
		}
	})
}

// nobody answers no request.
type nobody struct{}

func (nobody) RoundTrip(context.Context, net.Addr, kafka.Request) (kafka.Response, error) {
	return nil, io.EOF
}
