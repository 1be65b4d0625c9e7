package kafka

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/klaxon-dev/klaxon/stream"
	"github.com/klaxon-dev/klaxon/stream/kafka/kafkatest"
	"github.com/klaxon-dev/klaxon/stream/streamtest"
)

func TestConformance(t *testing.T) {
	streamtest.Run(t, func(t *testing.T, c streamtest.Config) streamtest.Place {
		cluster := shared.Cluster(t)
		if c.Alone {
			cluster = kafkatest.Start(t, 1)
		}
		l := newLab(t, cluster, c.Topics)
		l.config.MaxRecordBytes = c.MaxRecordBytes
		l.config.MaxInFlightBytes = c.MaxInFlightBytes
		return streamtest.Place{
			Open: func() stream.Log { return l.open() },
			Remove: func(_ stream.Log, partition int, before int64) {
				cluster.DeleteRecords(t, l.config.Topic("events"), partition, before)
			},
			Damage: func(value []byte) { cluster.Damage(t, value) },
			Stall: func() func() {
				cluster.Pause(t, 1)
				return func() { cluster.Resume(t, 1) }
			},
		}
	})
}

// lab is a place in a cluster for one test.
type lab struct {
	*testing.T
	config Config
	topics []string
}

func newLab(t *testing.T, cluster *kafkatest.Cluster, topics map[string]int, settings ...string) *lab {
	t.Helper()
	l := &lab{T: t, config: Config{
		Brokers: cluster.Bootstrap(), Prefix: kafkatest.Name(t), SingleBroker: true, SessionTimeout: 6 * time.Second,
	}}
	settings = append([]string{"max.message.bytes=9437184", "message.timestamp.type=LogAppendTime"}, settings...)
	for topic, partitions := range topics {
		cluster.Make(t, l.config.Topic(topic), partitions, settings...)
		l.topics = append(l.topics, topic)
	}
	slices.Sort(l.topics)
	return l
}

// open opens a log that the test's end closes.
func (l *lab) open() *Log {
	l.Helper()
	log, err := Open(l.Context(), l.config, Options{Topics: l.topics, Logger: slog.New(slog.NewTextHandler(l.Output(), nil))})
	if err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() { _ = log.Close() })
	return log
}

func TestOpenNamesMissingTopics(t *testing.T) {
	l := newLab(t, shared.Cluster(t), map[string]int{"events": 1})
	_, err := Open(t.Context(), l.config, Options{Topics: []string{"events", "matches"}, Logger: slog.New(slog.DiscardHandler)})
	if err == nil || !errors.Is(err, errNoTopic) {
		t.Errorf("open without a topic: %v", err)
	}
}

// waitFor polls until f holds.
func waitFor(t *testing.T, what string, f func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	streamtest.Eventually(ctx, t, what, f)
}
