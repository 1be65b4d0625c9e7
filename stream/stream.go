// Package stream is the contract of the durable log between the stages of the
// pipeline. stream/local keeps it on disk for one process, stream/kafka in
// Kafka for many; both pass the suite in stream/streamtest.
//
// A log has topics; a topic has a fixed number of partitions; a partition is a
// sequence of records with consecutive offsets, in the order in which they were
// appended. Consumers form groups; each partition of a topic has at most one
// owner in a group at a time, and a group's position in a partition is durable.
package stream

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

// ErrUnavailable is the cause of an Append that failed because the log cannot
// take records for now (no space, no broker, a bound on bytes in flight): the
// caller refuses its own input with "try again" and loses nothing.
var ErrUnavailable = errors.New("the log cannot take records now")

// ErrTooLarge is the cause of an Append with a record that the log would never
// take, whenever it came.
var ErrTooLarge = errors.New("the record is larger than the log takes")

// ErrLost is the cause of a Read from an offset that retention has removed
// before this group consumed it, or whose record nobody can read. The record range
// is gone: an alarm, never a silent jump. The error is a *GapError.
var ErrLost = errors.New("records were removed before they were consumed")

// ErrFenced is the cause of a Commit by a claim that no longer owns its
// partition: another member has it.
var ErrFenced = errors.New("the partition belongs to another consumer now")

// GapError says which records of a partition are gone: [From, To).
type GapError struct {
	Topic     string
	Partition int
	From, To  int64
	// Why says why they cannot be read; nil: retention removed them. It holds
	// nothing of their content.
	Why error
}

func (e *GapError) Error() string {
	return e.Topic + ": " + e.Reason()
}

// Reason says what became of the records.
func (e *GapError) Reason() string {
	if e.Why != nil {
		return "records cannot be read: " + e.Why.Error()
	}
	return ErrLost.Error() + ": the log's retention is too short"
}

// Unwrap makes errors.Is(err, ErrLost) hold.
func (e *GapError) Unwrap() error { return ErrLost }

// Header is a named value beside a record's value.
type Header struct {
	Key   string
	Value []byte
}

// Record is one entry of a partition. The producer sets Partition, Key,
// Headers and Value; the log sets Offset and Time. Times never decrease within a
// partition, but for the clocks of brokers that differ.
type Record struct {
	Partition int
	Offset    int64
	Time      time.Time // when the log took the record, UTC
	Key       []byte
	Headers   []Header
	Value     []byte
}

// Header returns the value of the first header named key, nil if there is none.
func (r *Record) Header(key string) []byte {
	for i := range r.Headers {
		if r.Headers[i].Key == key {
			return r.Headers[i].Value
		}
	}
	return nil
}

// Producer appends records. Its methods are safe for concurrent use.
type Producer interface {
	// Partitions returns how many partitions a topic has; it never changes
	// while the process runs. An unknown topic is a programmer's error: 0.
	Partitions(topic string) int

	// Append adds the records to their partitions, in the given order within
	// each, and returns nil only when all of them are durable (fsynced, or
	// acknowledged by every in-sync replica). On an error some of them may have
	// been appended all the same: the caller may append them again, consumers
	// recognise the copy. Errors wrap ErrUnavailable, ErrTooLarge or ctx's error.
	//
	// The log does not keep the slices after it has returned.
	Append(ctx context.Context, topic string, records []Record) error
}

// Consumer hands out partitions. Its methods are safe for concurrent use.
type Consumer interface {
	// Consume joins the group and calls handle once for every partition that
	// this member comes to own, each in a goroutine of its own, with a context
	// that ends when the ownership does. Consume returns when ctx has ended and
	// all handlers have returned, or with the first error that a handler
	// returned while its context was alive.
	Consume(ctx context.Context, topic, group string, handle func(context.Context, Claim) error) error
}

// Claim is the ownership of one partition by one member of a group. It is used
// by one goroutine.
type Claim interface {
	Partition() int

	// Position returns the group's committed position, the zero Position (and
	// the log's first offset) if it never committed.
	Position() Position

	// Read returns records from the offset on, at least one and at most about
	// maxBytes (one record more than that at the most). It waits for a record
	// until ctx ends. Its error is ErrLost where the offset is no longer held.
	// The records are the caller's.
	Read(ctx context.Context, from int64, maxBytes int) ([]Record, error)

	// End returns the offset that the next record of the partition will get,
	// as known now: with Position it makes the lag.
	End() int64

	// Commit makes p the group's position, durably. Its error is ErrFenced
	// when the partition has another owner. A p that cannot be is refused: it
	// is beyond the end, or replays from before the first offset.
	Commit(ctx context.Context, p Position) error
}

// MaxMetadataBytes bounds a position's metadata: Kafka keeps 4096 bytes beside an
// offset, and some of them say how the rest is read.
const MaxMetadataBytes = 4000

// Position is how far a group has come in a partition.
type Position struct {
	// Offset is the next record to process: all before it are done.
	Offset int64
	// Replay is how many records before Offset the group reads again: to restore
	// its state after a change of owners, or to look up what they said; 0 to
	// Offset. Retention by age leaves them. Where nothing else is left to make
	// room they go all the same, as an alarm: the records that would be refused
	// for their sake might be the ones that end the need for them.
	Replay int64
	// Metadata is the group's own note, text of at most MaxMetadataBytes in UTF-8:
	// which range is being inserted, what a replay starts with.
	Metadata string
}

// Horizon returns the first record that the group may still read.
func (p Position) Horizon() int64 { return p.Offset - p.Replay }

// Check returns why p cannot be a position of a partition that ends at end.
func (p Position) Check(end int64) error {
	switch {
	case p.Offset < 0 || p.Offset > end:
		return fmt.Errorf("offset %d is not between 0 and the end, %d", p.Offset, end)
	case p.Replay < 0 || p.Replay > p.Offset:
		return fmt.Errorf("a replay of %d records before offset %d cannot be", p.Replay, p.Offset)
	case len(p.Metadata) > MaxMetadataBytes:
		return fmt.Errorf("%d bytes of metadata, more than %d", len(p.Metadata), MaxMetadataBytes)
	case !utf8.ValidString(p.Metadata):
		return errors.New("the metadata are not UTF-8")
	}
	return nil
}

// Log is a producer and a consumer that close together.
type Log interface {
	Producer
	Consumer
	// Close ends all calls and releases the log. What was acknowledged stays.
	Close() error
}
