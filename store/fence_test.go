package store

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/stream"
	"github.com/klaxon-dev/klaxon/stream/kafka"
	"github.com/klaxon-dev/klaxon/stream/kafka/kafkatest"
)

// A member of the group is paused between its announcement and its insert, and
// loses its partition to another. Whichever of the two inserts first: the engine
// takes the range once, and Kafka refuses what the old member commits.
func TestPausedMemberIsFenced(t *testing.T) {
	brokers, connection := kafkatest.Start(t, 1), engine(t)
	f := func(name string, oldFirst bool) {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, connection, func(c *Config) { c.Batch.Rows = 100 })
			config := kafka.Config{Brokers: brokers.Bootstrap(), Prefix: kafkatest.Name(t), SingleBroker: true, SessionTimeout: 6 * time.Second}
			brokers.Make(t, config.Topic(topic.Events), 1, "message.timestamp.type=LogAppendTime")
			announced, later := samples("a", 10, noon), samples("b", 10, noon.Add(time.Hour))
			old, young := member(t, config), member(t, config)
			add := func(list []sample) {
				t.Helper()
				records := make([]stream.Record, len(list))
				for i := range list {
					records[i] = list[i].record(t, noon)
				}
				if err := old.Append(t.Context(), topic.Events, records); err != nil {
					t.Fatal(err)
				}
			}
			add(announced)
			asleep, wake, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
			var inserts atomic.Int32
			sleeper := &Store{
				config: h.store.config, logger: h.store.logger, clock: h.store.clock,
				deadLetter: h.store.deadLetter, metrics: h.store.metrics, reads: h.store.reads,
				writes: &hookConn{Conn: h.store.writes, onSend: func(send func() error) error {
					if inserts.Add(1) == 1 {
						close(asleep)
						<-wake
					}
					return send()
				}},
			}
			consume(t, old, func(_ context.Context, c stream.Claim) error {
				err := sleeper.WriteEvents(t.Context(), c) // it does not know that it lost the partition
				ended <- err
				return err
			})
			wait(t, asleep)
			add(later) // so that another cut of the batch would be another insert

			var oldHas sync.Once
			oldInserts := func() {
				oldHas.Do(func() {
					close(wake)
					select {
					case err := <-ended:
						if !errors.Is(err, stream.ErrFenced) {
							t.Errorf("the old member ended with %v, want %v", err, stream.ErrFenced)
						}
					case <-time.After(testTime):
						t.Error("the old member goes on")
					}
				})
			}
			defer h.hook(func(send func() error) error {
				if oldFirst {
					oldInserts()
				}
				return send()
			})()
			done := make(chan struct{})
			consume(t, young, func(ctx context.Context, c stream.Claim) error {
				if p := c.Position(); p.Offset != 0 || p.Metadata == "" {
					t.Errorf("the old member announced %+v", p)
				}
				return h.store.WriteEvents(ctx, watched{c, func(p stream.Position) {
					if p.Offset == 20 {
						close(done)
					}
				}})
			})
			wait(t, done)
			oldInserts()
			h.once(append(announced, later...)...)
			if n := inserts.Load(); n != 1 {
				t.Errorf("the old member inserted %d times, want once: what it had announced", n)
			}
		})
	}
	f("it wakes after its successor's insert", false)
	f("it wakes before its successor's insert", true)
}

// member returns a process's log.
func member(t *testing.T, c kafka.Config) *kafka.Log {
	t.Helper()
	log, err := kafka.Open(t.Context(), c, kafka.Options{Topics: []string{topic.Events}, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	return log
}

// consume has a handler consume the events until the test ends.
func consume(t *testing.T, log *kafka.Log, handle func(context.Context, stream.Claim) error) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := log.Consume(ctx, topic.Events, "store", handle)
		if ctx.Err() == nil && !errors.Is(err, stream.ErrFenced) {
			t.Errorf("consume: %v", err)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
}

func wait(t *testing.T, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(testTime):
		t.Fatal("it never came")
	}
}

// watched tells what is committed.
type watched struct {
	stream.Claim
	committed func(stream.Position)
}

func (w watched) Commit(ctx context.Context, p stream.Position) error {
	err := w.Claim.Commit(ctx, p)
	if err == nil {
		w.committed(p)
	}
	return err
}
