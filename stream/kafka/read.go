package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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

// errAnew is the cause of a Read where what was read last is another record now.
var errAnew = errors.New("the topic was made anew: its records are not those that were read of it already: klaxon stops here; to go on, reset the group's offsets")

// errHole is the cause of a fetch that lacks records within the log, or that holds
// what cannot be read and never will be.
type errHole struct {
	from, to int64
	why      error // nil: they are missing
}

func (e *errHole) Error() string {
	if e.why != nil {
		return fmt.Sprintf("offsets %d to %d cannot be read: %v", e.from, e.to-1, e.why)
	}
	return fmt.Sprintf("offsets %d to %d are missing", e.from, e.to-1)
}

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
	c.moved()
	c.newest.Store(max(c.newest.Load(), records[len(records)-1].Time.UnixNano()))
	return records, nil
}

func (c *claim) read(ctx context.Context, from int64, maxBytes int) ([]stream.Record, error) {
	if from < 0 {
		return nil, fmt.Errorf("there is no offset %d", from)
	}
	retry := backoff{}
	for {
		asked, err := c.pass(ctx)
		if err != nil {
			return nil, err
		}
		records, next, err := c.fetch(ctx, asked, from, maxBytes)
		if len(records) > 0 {
			c.last = lastOf(records, c.last)
			return records, nil
		}
		if next > from {
			c.void.Store(&void{from, next})
			from = next
		}
		if err == nil {
			retry = backoff{}
			continue // nothing yet
		}
		if ctx.Err() != nil || closed(asked) {
			continue // pass says what now
		}
		if err := c.explain(ctx, from, err, retry.lasted()); err != nil {
			return nil, err
		}
		c.member.log.logger.Debug("a partition could not be read", "topic", c.member.topic, "partition", c.partition, "offset", from, "error", err)
		c.member.log.metrics.fetchErrors.WithLabelValues(c.member.topic, c.member.group).Inc()
		c.moved() // it is not the handler that stands still
		if retry.alarm() {
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
		return &stream.GapError{Topic: c.member.topic, Partition: c.partition, From: hole.from, To: hole.to, Why: hole.why}
	}
	if !errors.Is(err, kafka.OffsetOutOfRange) {
		if isPassing(err) && !errors.Is(err, errAnew) {
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
	if c.endsBefore(from, b.last) && lasted > alarmAfter {
		return fmt.Errorf("%w (end %d)", errCut, b.last)
	}
	return nil
}

// endsBefore reports whether a partition with an end lacks what is to be read, or
// was read already.
func (c *claim) endsBefore(from, end int64) bool {
	return from > end || !c.last.time.IsZero() && c.last.offset >= end
}

// fetch returns what there is from an offset on, nothing if nothing came for a
// while, and where to go on. It ends early when asked is closed.
func (c *claim) fetch(ctx context.Context, asked <-chan struct{}, from int64, maxBytes int) ([]stream.Record, int64, error) {
	l, r := c.member.log, c.reader(from)
	came := false
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
		answer, err := l.fetch(ctx, c.member.topic, c.partition, from)
		if err == nil && (c.doubtful || answer.end < c.End()) {
			err = c.recognise(ctx)
		}
		// After an error it may be another topic.
		if c.doubtful = err != nil; c.doubtful {
			return nil, from, err
		}
		c.sawEnd(answer.end)
		r.open(answer.batches, from)
		came = len(answer.batches) > 0 || from < answer.end
	}
	records, err := r.take(l.unpacker, c.partition, maxBytes)
	c.sawEnd(r.next) // a leader says its end first, and reads what it has by then
	if err == nil && len(records) == 0 && came && r.next == from {
		err = errNoBatch
	}
	return records, r.next, err
}

// recognise returns an error where the last record that the claim has read is
// not where it was: a topic that was made anew may have grown beyond it. What
// retention has removed since cannot be told.
func (c *claim) recognise(ctx context.Context) error {
	if c.last.time.IsZero() {
		return nil
	}
	l := c.member.log
	answer, err := l.fetch(ctx, c.member.topic, c.partition, c.last.offset)
	if errors.Is(err, kafka.OffsetOutOfRange) {
		all, failed := l.bounds(ctx, c.member.topic, []int{c.partition})
		if failed == nil && c.last.offset < all[c.partition].first {
			return nil
		}
	}
	if err != nil {
		return err
	}
	if answer.end <= c.last.offset {
		return kafka.OffsetOutOfRange // of an old leader, or there is less than there was
	}
	var r reader
	r.open(answer.batches, c.last.offset)
	records, err := r.take(l.unpacker, c.partition, 1)
	var hole *errHole
	switch {
	case errors.As(err, &hole):
		return errAnew
	case len(records) == 0:
		return cmp.Or(err, errNoBatch)
	case !records[0].Time.Equal(c.last.time):
		return errAnew
	}
	return nil
}

// sighting is where a record was, and when it was taken.
type sighting struct {
	offset int64
	time   time.Time
}

// lastOf returns the one that lies farther on.
func lastOf(records []stream.Record, last sighting) sighting {
	if r := &records[len(records)-1]; last.time.IsZero() || r.Offset > last.offset {
		return sighting{r.Offset, r.Time}
	}
	return last
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
	opened  bool
	next    int64
	answer  []byte // batches that are not begun
	batch   batch  // the one that is
	records parser // of it
	left    int32  // records of it
	used    time.Time
}

func (r *reader) at(offset int64) bool { return r.opened && r.next == offset }

func (r *reader) open(answer []byte, from int64) {
	*r = reader{opened: true, next: from, answer: answer, used: r.used}
}

func (r *reader) close() { r.opened, r.answer, r.records, r.batch.packed = false, nil, parser{}, nil }

// take returns the next records, up to about maxBytes of them and of what they
// take beside. They share the memory of their batch.
func (r *reader) take(u *unpacker, partition, maxBytes int) (out []stream.Record, err error) {
	for size := 0; size < max(maxBytes, 1); {
		if r.left == 0 || r.next >= r.batch.to {
			more, err := r.begin(u)
			if err != nil || !more {
				r.close()
				return out, err
			}
			continue
		}
		record, err := r.batch.record(&r.records, partition)
		r.left--
		switch {
		case err != nil:
			r.close()
			return out, &errHole{from: r.next, to: r.batch.to, why: err}
		case record.Offset < r.next: // a batch begins before what was asked for
			continue
		case record.Offset > r.next:
			r.close()
			return out, &errHole{from: r.next, to: record.Offset}
		}
		out = append(out, record)
		r.next++
		size += recordBytes(&record) + recordOverhead + headerOverhead*len(record.Headers)
	}
	return out, nil
}

// begin begins the next batch; false if there is none. What marks the end of a
// transaction is passed by: it never was a record.
func (r *reader) begin(u *unpacker) (more bool, err error) {
	if r.next < r.batch.to { // compaction took its last records
		return false, &errHole{from: r.next, to: r.batch.to}
	}
	for {
		b, rest, err := cutBatch(r.answer)
		if err != nil || rest == nil {
			return false, err
		}
		r.answer, r.batch = rest, b
		switch {
		case b.to <= r.next: // before what was asked for
			continue
		case b.from > r.next:
			return false, &errHole{from: r.next, to: b.from}
		case b.control():
			r.next = b.to
			continue
		}
		records, err := u.unpack(&b)
		if err != nil {
			return false, &errHole{from: r.next, to: b.to, why: err}
		}
		r.records, r.left = parser{rest: records}, b.count
		return true, nil
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
