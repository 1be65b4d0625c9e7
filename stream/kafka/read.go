package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/klaxon-dev/klaxon/stream"
)

const (
	// fetchBytes is what one request asks for, compressed. More is no faster and
	// takes memory.
	fetchBytes = 512 << 10
	// fetchWait is how long a broker waits for a record to come.
	fetchWait = 500 * time.Millisecond
	// alarmAfter is how long a partition that cannot be read is taken for a
	// change of its leader.
	alarmAfter = 30 * time.Second
)

// errCut is the cause of a Read beyond the end of its partition.
var errCut = errors.New("the partition ends before what was read of it already: the topic was made anew, or its leader was elected unclean: klaxon stops here; to go on, reset the group's offsets")

// errHole is the cause of a fetch that lacks records within the log.
type errHole struct{ from, to int64 }

func (e *errHole) Error() string { return fmt.Sprintf("offsets %d to %d are missing", e.from, e.to-1) }

// Read implements stream.Claim.
func (c *claim) Read(ctx context.Context, from int64, maxBytes int) ([]stream.Record, error) {
	records, err := c.read(ctx, from, maxBytes)
	if err != nil {
		var gap *stream.GapError
		if errors.As(err, &gap) {
			return nil, err
		}
		return nil, fmt.Errorf("read %s/%d from %d: %w", c.member.topic, c.partition, from, err)
	}
	c.progress.Store(time.Now().UnixNano())
	c.newest.Store(max(c.newest.Load(), records[len(records)-1].Time.UnixNano()))
	return records, nil
}

func (c *claim) read(ctx context.Context, from int64, maxBytes int) ([]stream.Record, error) {
	if from < 0 {
		return nil, fmt.Errorf("there is no offset %d", from)
	}
	retry := backoff{}
	alarmed := false
	for {
		asked, err := c.pass(ctx)
		if err != nil {
			return nil, err
		}
		records, err := c.fetch(ctx, asked, from, maxBytes)
		if len(records) > 0 {
			return records, nil
		}
		if err == nil || ctx.Err() != nil || closed(asked) {
			continue // nothing yet, or pass says what now
		}
		if err := c.explain(ctx, from, err, retry.lasted()); err != nil {
			return nil, err
		}
		c.member.log.logger.Debug("a partition could not be read", "topic", c.member.topic, "partition", c.partition, "offset", from, "error", err)
		c.member.log.metrics.fetchErrors.WithLabelValues(c.member.topic, c.member.group).Inc()
		if retry.lasted() > alarmAfter && !alarmed {
			alarmed = true
			c.member.log.logger.Error("a partition cannot be read: trying on", "topic", c.member.topic, "partition", c.partition, "offset", from, "error", err)
		}
		if err := retry.wait(ctx); err != nil {
			return nil, err
		}
	}
}

// explain returns an error for what will not pass by itself, nil where trying
// again may help.
func (c *claim) explain(ctx context.Context, from int64, err error, lasted time.Duration) error {
	var hole *errHole
	if errors.As(err, &hole) {
		return &stream.GapError{Topic: c.member.topic, Partition: c.partition, From: hole.from, To: hole.to}
	}
	if !errors.Is(err, kafka.OffsetOutOfRange) {
		if isPassing(err) {
			return nil
		}
		return err
	}
	all, err := c.member.log.bounds(ctx, c.member.topic, []int{c.partition})
	if err != nil {
		return nil
	}
	b := all[c.partition]
	if from < b.first {
		return &stream.GapError{Topic: c.member.topic, Partition: c.partition, From: from, To: b.first}
	}
	if from > b.last && lasted > alarmAfter {
		return fmt.Errorf("%w (end %d)", errCut, b.last)
	}
	return nil
}

// fetch returns what there is from an offset on, nothing if nothing came for a
// while. It ends early when asked is closed.
func (c *claim) fetch(ctx context.Context, asked <-chan struct{}, from int64, maxBytes int) ([]stream.Record, error) {
	r := c.reader(from)
	if !r.at(from) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		done := make(chan struct{})
		defer close(done)
		go func() {
			select {
			case <-asked:
				cancel()
			case <-done:
			}
		}()
		answer, err := c.member.log.client.Fetch(ctx, &kafka.FetchRequest{
			Topic: c.member.log.config.Topic(c.member.topic), Partition: c.partition, Offset: from,
			MinBytes: 1, MaxBytes: fetchBytes, MaxWait: fetchWait,
		})
		if err == nil {
			err = answer.Error
		}
		if err != nil {
			return nil, err
		}
		c.sawEnd(answer.HighWatermark)
		r.open(answer.Records, from)
	}
	return r.take(c.partition, maxBytes)
}

// reader returns the reader that stands at an offset, or else the one that was
// used longest ago.
func (c *claim) reader(from int64) *reader {
	first, second := &c.readers[0], &c.readers[1]
	if second.at(from) || !first.at(from) && second.used.Before(first.used) {
		first = second
	}
	first.used = time.Now()
	return first
}

// reader hands out the records of one answer bit by bit: an answer may hold more
// than a caller asks for.
type reader struct {
	records kafka.RecordReader // nil: there is nothing left
	next    int64
	used    time.Time
}

func (r *reader) at(offset int64) bool { return r.records != nil && r.next == offset }

func (r *reader) open(records kafka.RecordReader, from int64) { r.records, r.next = records, from }

// take returns the next records, up to about maxBytes of them.
func (r *reader) take(partition, maxBytes int) ([]stream.Record, error) {
	var out []stream.Record
	for size := 0; size < max(maxBytes, 1); {
		record, err := r.records.ReadRecord()
		if err != nil {
			r.records = nil
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return out, err
		}
		if record.Offset < r.next { // a batch begins before what was asked for
			release(record)
			continue
		}
		if record.Offset > r.next {
			hole := &errHole{from: r.next, to: record.Offset}
			release(record)
			r.records = nil
			return out, hole
		}
		own, err := copyOf(record, partition)
		if err != nil {
			r.records = nil
			return out, err
		}
		out = append(out, own)
		r.next++
		size += recordBytes(&own)
	}
	return out, nil
}

// copyOf returns a record that shares no memory with kafka-go's.
func copyOf(r *kafka.Record, partition int) (stream.Record, error) {
	defer release(r)
	own := stream.Record{Partition: partition, Offset: r.Offset, Time: r.Time.UTC()}
	var err error
	if own.Key, err = kafka.ReadAll(r.Key); err != nil {
		return own, err
	}
	if own.Value, err = kafka.ReadAll(r.Value); err != nil {
		return own, err
	}
	if len(r.Headers) > 0 {
		own.Headers = make([]stream.Header, len(r.Headers))
		for i, h := range r.Headers {
			own.Headers[i] = stream.Header{Key: h.Key, Value: append([]byte(nil), h.Value...)}
		}
	}
	return own, nil
}

func release(r *kafka.Record) {
	for _, b := range []kafka.Bytes{r.Key, r.Value} {
		if b != nil {
			_ = b.Close() // memory only
		}
	}
}

// recordBytes is the size of a record's key, headers and value.
func recordBytes(r *stream.Record) int {
	n := len(r.Key) + len(r.Value)
	for i := range r.Headers {
		n += len(r.Headers[i].Key) + len(r.Headers[i].Value)
	}
	return n
}
