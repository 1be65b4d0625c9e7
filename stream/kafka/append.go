package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/klaxon-dev/klaxon/stream"
)

// producer writes the records of one topic.
type producer struct {
	topic  string
	writer *kafka.Writer
}

// recordOverhead is what a record's form adds to its key, headers and value at
// the most, and headerOverhead what each header's does.
const (
	recordOverhead = 64
	headerOverhead = 16
)

// newProducer returns the producer of a topic. What Kafka's defaults would get
// wrong is set: acknowledgement by all in-sync replicas; attempts for as long as a
// leader that has moved is not known yet, not for as long as an outage (the sender
// tries again); short waits.
func (l *Log) newProducer(topic string) *producer {
	wire := newWire(l, topic)
	return &producer{topic: topic, writer: &kafka.Writer{
		Addr:            kafka.TCP(l.config.Brokers...),
		Topic:           l.config.Topic(topic),
		Balancer:        kafka.BalancerFunc(chosenPartition),
		RequiredAcks:    kafka.RequireAll,
		MaxAttempts:     5,
		WriteBackoffMin: 300 * time.Millisecond,
		WriteBackoffMax: time.Second,
		BatchSize:       500,
		BatchBytes:      int64(l.config.MaxRecordBytes) + batchSlack,
		BatchTimeout:    20 * time.Millisecond,
		ReadTimeout:     5 * time.Second,
		WriteTimeout:    5 * time.Second,
		Compression:     codecs[l.config.Compression],
		Transport:       wire,
		Completion:      wire.completed,
	}}
}

// codecs are the compressions by name; none is the zero one.
var codecs = map[string]kafka.Compression{"zstd": kafka.Zstd, "lz4": kafka.Lz4, "snappy": kafka.Snappy, "gzip": kafka.Gzip}

// batchSlack is what the largest record may take more than its own bytes.
const batchSlack = 64 << 10

// chosenPartition is the partition that the caller chose.
func chosenPartition(m kafka.Message, _ ...int) int { return m.WriterData.(int) }

// Append implements stream.Producer.
func (l *Log) Append(ctx context.Context, topic string, records []stream.Record) error {
	p := l.producers[topic]
	if p == nil {
		return fmt.Errorf("append: there is no topic %q", topic)
	}
	if err := l.enter(&l.calls); err != nil {
		return fmt.Errorf("append to %s: %w", topic, err)
	}
	done := make(chan error, 1)
	if err := l.begin(ctx, p, records, done); err != nil {
		l.calls.Done()
		return fmt.Errorf("append to %s: %w", topic, err)
	}
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("append to %s: %w", topic, err)
		}
		return nil
	case <-ctx.Done(): // what is in flight may be written all the same
		return ctx.Err()
	}
}

// begin starts the write of records, which tells done how it went.
func (l *Log) begin(ctx context.Context, p *producer, records []stream.Record, done chan<- error) error {
	size, err := l.check(p.topic, records)
	if err != nil {
		return err
	}
	if len(records) == 0 {
		l.calls.Done()
		done <- nil
		return nil
	}
	tries, cause := l.outage.enter()
	if cause != nil {
		l.metrics.refused(reasonDown)
		return fmt.Errorf("%w: %w", stream.ErrUnavailable, cause)
	}
	at := time.Now() // before it waits: a failure meanwhile overtakes it
	giveBack, ok := l.budget.take(ctx, size)
	if !ok {
		l.outage.abandon(tries)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		l.metrics.refused(reasonFull)
		return fmt.Errorf("%w: %d bytes are in flight, as many as stream.kafka.max_in_flight_bytes allows", stream.ErrUnavailable, l.budget.size)
	}
	messages := copied(records, size, at)
	go func() {
		defer l.calls.Done()
		defer giveBack()
		began := time.Now()
		// The caller's end does not call back what the writer has taken.
		err := p.writer.WriteMessages(context.Background(), messages...)
		if err == nil {
			l.metrics.appended.Count(p.topic, len(records), size, time.Since(began))
		}
		done <- l.outcome(p.topic, tries, err)
	}()
	return nil
}

// check returns the bytes of records, and an error if one is for no partition or
// too large.
func (l *Log) check(topic string, records []stream.Record) (total int64, err error) {
	for i := range records {
		r := &records[i]
		if r.Partition < 0 || r.Partition >= l.partitions[topic] {
			return 0, fmt.Errorf("there is no partition %d", r.Partition)
		}
		n := recordBytes(r)
		if n > l.config.MaxRecordBytes {
			return 0, fmt.Errorf("%w: %d bytes, more than %d", stream.ErrTooLarge, n, l.config.MaxRecordBytes)
		}
		total += int64(n + recordOverhead + headerOverhead*len(r.Headers))
	}
	return total, nil
}

// copied returns the records as messages of a time that share no memory with them.
func copied(records []stream.Record, size int64, at time.Time) []kafka.Message {
	arena := make([]byte, 0, size)
	keep := func(b []byte) []byte {
		if b == nil {
			return nil
		}
		from := len(arena)
		arena = append(arena, b...)
		return arena[from:len(arena):len(arena)]
	}
	messages := make([]kafka.Message, len(records))
	for i := range records {
		r := &records[i]
		messages[i] = kafka.Message{Key: keep(r.Key), Value: keep(r.Value), Time: at, WriterData: r.Partition}
		switch {
		case len(r.Headers) == 0:
		case i > 0 && same(r.Headers, records[i-1].Headers):
			messages[i].Headers = messages[i-1].Headers
		default:
			messages[i].Headers = make([]kafka.Header, len(r.Headers))
			for j := range r.Headers {
				messages[i].Headers[j] = kafka.Header{Key: r.Headers[j].Key, Value: keep(r.Headers[j].Value)}
			}
		}
	}
	return messages
}

// outcome returns what a write's error is to the caller, and notes whether
// brokers take records.
func (l *Log) outcome(topic string, tries bool, err error) error {
	err = firstOf(err)
	if err == nil || tooLarge(err) {
		if l.outage.leave(tries, nil) {
			l.logger.Info("the brokers take records again", "topic", topic)
		}
		if err != nil {
			return fmt.Errorf("%w: the topic's max.message.bytes is below stream.kafka.max_record_bytes: %w", stream.ErrTooLarge, err)
		}
		return nil
	}
	l.metrics.refused(reasonDown)
	if errors.Is(err, errOvertaken) {
		l.outage.abandon(tries)
	} else if l.outage.leave(tries, err) {
		l.logger.Error("the brokers take no records", "topic", topic, "error", err)
	}
	return fmt.Errorf("%w: %w", stream.ErrUnavailable, err)
}

// firstOf returns the first error of those of a batch: they mostly repeat it.
func firstOf(err error) error {
	var each kafka.WriteErrors
	if !errors.As(err, &each) {
		return err
	}
	for _, err := range each {
		if err != nil {
			return err
		}
	}
	return nil
}

// same reports whether two are one slice.
func same(a, b []stream.Header) bool { return len(a) == len(b) && len(a) > 0 && &a[0] == &b[0] }

func tooLarge(err error) bool {
	var large kafka.MessageTooLargeError
	return errors.As(err, &large) || errors.Is(err, kafka.MessageSizeTooLarge)
}
