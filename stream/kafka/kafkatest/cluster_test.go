package kafkatest_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/klaxon-dev/klaxon/stream/kafka/kafkatest"
)

var shared kafkatest.Shared

func TestMain(m *testing.M) { shared.Main(m) }

const (
	patience = 3 * time.Minute // until what must come has come
	attempt  = 3 * time.Second // a paused broker does not say that it is
)

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// write writes one message, however often it must be tried.
func write(ctx context.Context, t *testing.T, c *kafkatest.Cluster, topic, value string) {
	t.Helper()
	transport := &kafka.Transport{MetadataTTL: attempt}
	defer transport.CloseIdleConnections()
	w := &kafka.Writer{
		Addr: kafka.TCP(c.Bootstrap()...), Topic: topic, Transport: transport,
		RequiredAcks: kafka.RequireAll, BatchTimeout: time.Millisecond, WriteTimeout: attempt,
	}
	defer func() { _ = w.Close() }()
	for {
		err := w.WriteMessages(ctx, kafka.Message{Value: []byte(value)})
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("write %s: %v", value, err)
		}
	}
}

// held counts the messages that a topic of one partition holds.
func held(ctx context.Context, t *testing.T, c *kafkatest.Cluster, topic string) int64 {
	t.Helper()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		for _, broker := range c.Bootstrap() {
			if n, err := heldBy(ctx, broker, topic); err == nil {
				return n
			}
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatal(ctx.Err())
		}
	}
}

func heldBy(ctx context.Context, broker, topic string) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	conn, err := kafka.DialLeader(ctx, "tcp", broker, topic, 0)
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(attempt)); err != nil {
		return 0, err
	}
	first, last, err := conn.ReadOffsets()
	return last - first, err
}

// TestFaults holds that brokers end and come again as tests ask them to, and
// keep what they took.
func TestFaults(t *testing.T) {
	c := kafkatest.Start(t, 3)
	topic := c.Topic(t, 1, "min.insync.replicas=2")
	want := int64(0)
	takes := func(what string) {
		t.Helper()
		ctx := testContext(t)
		write(ctx, t, c, topic, what)
		want++
		if got := held(ctx, t, c, topic); got < want {
			t.Errorf("%s: %d messages, want %d", what, got, want)
		}
	}
	takes("all run")
	before := c.PID(1)
	c.Kill(t, 1)
	takes("one was killed")
	c.Restart(t, 1)
	if c.PID(1) == before {
		t.Error("the broker was not started anew")
	}
	c.Stop(t, 2)
	takes("one was stopped")
	c.Restart(t, 2)
	c.Pause(t, 3)
	takes("one is paused")
	c.Resume(t, 3)
	takes("all run again")
}

// TestShared holds that tests share one broker and not its topics.
func TestShared(t *testing.T) {
	ctx := testContext(t)
	c, again := shared.Cluster(t), shared.Cluster(t)
	if c != again {
		t.Fatal("two brokers")
	}
	for i := range 2 {
		topic := c.Topic(t, 1)
		write(ctx, t, c, topic, fmt.Sprint(i))
		if got := held(ctx, t, c, topic); got != 1 {
			t.Errorf("topic %s has %d messages, want 1", topic, got)
		}
	}
}
