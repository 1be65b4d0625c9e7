package kafka

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/klaxon-dev/klaxon/stream"
)

// A position that a stranger has committed while nobody was there ends the
// consumer with a sentence that says whose it is and what to do. It is not asked
// for again and again, and nothing is read from a position that nobody knows.
func TestStrangersPosition(t *testing.T) {
	l := newLab(t, shared.Cluster(t), map[string]int{"events": 2})
	log := l.open()
	for i := range 20 {
		if err := log.Append(t.Context(), "events", []stream.Record{{Partition: i % 2, Value: []byte("x")}}); err != nil {
			t.Fatal(err)
		}
	}
	for i, metadata := range []string{
		"garbage", "\x00\x1b[2J", strings.Repeat("x", 4000), "klaxon/2 0\n", "klaxon/1 0", "klaxon/1 -1\n", "klaxon/1 6\n", "klaxon/1 99999999999999999999\n",
	} {
		group := fmt.Sprint("readers", i)
		commitAs(t, log, group, 5, metadata)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		err := log.Consume(ctx, "events", group, func(ctx context.Context, c stream.Claim) error {
			if c.Partition() == 1 {
				t.Errorf("%.20q: it begins at %v", metadata, c.Position())
			}
			<-ctx.Done()
			return nil
		})
		cancel()
		if !errors.Is(err, errPosition) || !strings.Contains(err.Error(), "partition 1") || len(err.Error()) > 600 {
			t.Errorf("%.20q: it ends with %.2000v", metadata, err)
		}
	}

	// No metadata are those of an operator.
	commitAs(t, log, "reset", 3, "")
	positions := make(chan stream.Position, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := log.Consume(ctx, "events", "reset", func(ctx context.Context, c stream.Claim) error {
		if c.Partition() == 1 {
			positions <- c.Position()
			cancel()
		}
		<-ctx.Done()
		return nil
	})
	if p := <-positions; p != (stream.Position{Offset: 3}) || !errors.Is(err, context.Canceled) {
		t.Errorf("after a reset: %v, %v", p, err)
	}
}

// commitAs commits a position of partition 1 without being a member.
func commitAs(t *testing.T, log *Log, group string, offset int64, metadata string) {
	t.Helper()
	waitFor(t, "a stranger commits", func() bool {
		answer, err := log.client.OffsetCommit(t.Context(), &kafka.OffsetCommitRequest{
			GroupID: log.config.Topic("events." + group), GenerationID: -1,
			Topics: map[string][]kafka.OffsetCommit{log.config.Topic("events"): {{Partition: 1, Offset: offset, Metadata: metadata}}},
		})
		return refusal(answer, err) == nil
	})
}
