package kafka

import (
	"context"
	"errors"
	"testing"

	"github.com/segmentio/kafka-go"

	"github.com/klaxon-dev/klaxon/stream"
)

func (l *lab) append(log *Log, values ...string) {
	l.Helper()
	for _, v := range values {
		if err := log.Append(l.Context(), "events", []stream.Record{{Value: []byte(v)}}); err != nil {
			l.Fatal(err)
		}
	}
}

// A topic that is deleted and made anew counts its records from 0 again: who has
// read of the old one does not go on in the new one, however many that has.
func TestTopicMadeAnewWhileItIsRead(t *testing.T) {
	cluster := shared.Cluster(t)
	l := newLab(t, cluster, map[string]int{"events": 1})
	log := l.open()
	l.append(log, "0", "1", "2")
	caughtUp, failed := make(chan struct{}), make(chan error, 1)
	leave := join(t, log, func(ctx context.Context, c stream.Claim) error {
		next := int64(0)
		for next < 3 {
			records, err := c.Read(ctx, next, 1)
			if err != nil {
				return err
			}
			next += int64(len(records))
		}
		close(caughtUp)
		records, err := c.Read(ctx, next, 1)
		if err == nil {
			t.Errorf("read %q of another topic", records[0].Value)
		}
		failed <- err
		return nil
	})
	<-caughtUp
	name := l.config.Topic("events")
	answer, err := log.client.DeleteTopics(t.Context(), &kafka.DeleteTopicsRequest{Topics: []string{name}})
	if err != nil || answer.Errors[name] != nil {
		t.Fatal(err, answer)
	}
	waitFor(t, "the topic is gone", func() bool {
		_, err := log.bounds(t.Context(), "events", []int{0})
		return err != nil
	})
	cluster.Make(t, name, 1)
	other := l.open()
	l.append(other, "a", "b", "c", "d", "e")
	if err := <-failed; !errors.Is(err, errAnew) {
		t.Errorf("read on in a topic that was made anew: %v", err)
	}
	leave()
}
