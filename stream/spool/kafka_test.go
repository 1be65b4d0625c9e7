package spool_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/klaxon-dev/klaxon/stream"
	"github.com/klaxon-dev/klaxon/stream/kafka"
	"github.com/klaxon-dev/klaxon/stream/kafka/kafkatest"
	"github.com/klaxon-dev/klaxon/stream/spool"
)

const partitions = 3

// A real broker dies twice, also while the spool is drained, and so does the
// process: the topic holds what was acknowledged, in its order.
func TestBrokerDies(t *testing.T) {
	cluster := kafkatest.Start(t, 1)
	config := kafka.Config{Brokers: cluster.Bootstrap(), Prefix: kafkatest.Name(t), SingleBroker: true}
	cluster.Make(t, config.Topic("events"), partitions, "max.message.bytes=9437184")
	logger := slog.New(slog.NewTextHandler(t.Output(), nil))
	log, err := kafka.Open(t.Context(), config, kafka.Options{Topics: []string{"events"}, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	c := spool.Config{Dir: t.TempDir(), After: time.Second}
	open := func() *spool.Spool {
		t.Helper()
		s, err := spool.Open(t.Context(), c, spool.Options{
			Target: log, Topics: map[string]spool.Topic{"events": {Partitions: partitions, Percent: 100}}, MaxRecordBytes: 8 << 20, Logger: logger,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	s := open()
	var taken []string
	add := func() {
		value := fmt.Sprint(len(taken))
		var records []stream.Record
		for p := range partitions {
			records = append(records, stream.Record{Partition: p, Value: []byte(value)})
		}
		until(t, "a record is taken", func() bool {
			err := s.Append(t.Context(), "events", records)
			if err != nil && !errors.Is(err, stream.ErrUnavailable) {
				t.Fatal(err)
			}
			return err == nil
		})
		taken = append(taken, value)
	}
	spooling := func() bool { _, ok := s.Spooling(); return ok }
	for range 50 {
		add()
	}
	for range 2 {
		cluster.Kill(t, 1)
		for !spooling() {
			add()
		}
		for range 300 {
			add()
		}
		cluster.Restart(t, 1)
		add()
		if err := s.Close(); err != nil { // amid the drain, or before it has begun
			t.Fatal(err)
		}
		s = open()
		add()
	}
	until(t, "the spool is drained", func() bool { return !spooling() })
	add()
	for p, values := range readAll(t, log, len(taken)) {
		next := 0
		for _, v := range values {
			if next < len(taken) && v == taken[next] {
				next++
			}
		}
		if next < len(taken) {
			t.Errorf("partition %d: %s is lost or out of order", p, taken[next])
		}
		t.Logf("partition %d: %d records, %d of them copies", p, len(values), len(values)-len(taken))
	}
}

// readAll returns the values of each partition up to the last one taken.
func readAll(t *testing.T, log *kafka.Log, taken int) [partitions][]string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var values [partitions][]string
	var reading sync.WaitGroup
	reading.Add(partitions)
	done := make(chan error, 1)
	go func() {
		done <- log.Consume(ctx, "events", "reader", func(ctx context.Context, c stream.Claim) error {
			for last := ""; last != fmt.Sprint(taken-1); {
				records, err := c.Read(ctx, int64(len(values[c.Partition()])), 1<<20)
				if err != nil {
					return err
				}
				for i := range records {
					last = string(records[i].Value)
					values[c.Partition()] = append(values[c.Partition()], last)
				}
			}
			reading.Done()
			<-ctx.Done()
			return nil
		})
	}()
	read := make(chan struct{})
	go func() { reading.Wait(); close(read) }()
	select {
	case <-read:
	case err := <-done:
		t.Fatalf("read: %v", err)
	case <-time.After(2 * time.Minute):
		t.Fatal("the last record never came")
	}
	cancel()
	if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	return values
}

func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !f(); {
		if time.Now().After(deadline) {
			t.Fatalf("it never came that %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
