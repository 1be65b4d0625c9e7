package kafka

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/metadata"
	"github.com/segmentio/kafka-go/protocol/produce"
	"github.com/segmentio/kafka-go/protocol/rawproduce"
)

// wire is what the writer of a topic sends through. kafka-go's Writer asks for every
// record how many partitions its topic has, and its packing of a batch, field by
// field with a second checksum, costs more than packing it in one piece. And it
// tries each batch that waits in a partition for as long as the first.
type wire struct {
	next   kafka.RoundTripper
	layout *metadata.Response // of the topic: it is fixed
	packer *packer
	last   []atomic.Pointer[failure] // of each partition
}

// failure is that of a batch after all attempts.
type failure struct {
	at    time.Time
	cause error
}

// errOvertaken is of records that were to be written before others of their
// partition failed: they fail with these, which also keeps them behind them. It does
// not wrap the cause, or the library would try on.
var errOvertaken = errors.New("behind records that failed")

// newWire returns the wire of a topic's writer.
func newWire(l *Log, topic string) *wire {
	n := l.partitions[topic]
	layout := metadata.ResponseTopic{Name: l.config.Topic(topic), Partitions: make([]metadata.ResponsePartition, n)}
	for i := range layout.Partitions {
		layout.Partitions[i].PartitionIndex = int32(i)
	}
	return &wire{l.transport, &metadata.Response{Topics: []metadata.ResponseTopic{layout}}, l.packer, make([]atomic.Pointer[failure], n)}
}

// completed takes how the writer's attempts with a batch ended.
func (w *wire) completed(batch []kafka.Message, err error) {
	if err == nil || tooLarge(err) || errors.Is(err, errOvertaken) {
		return
	}
	w.last[batch[0].WriterData.(int)].Store(&failure{time.Now(), err})
}

// RoundTrip implements kafka.RoundTripper.
func (w *wire) RoundTrip(ctx context.Context, addr net.Addr, request kafka.Request) (kafka.Response, error) {
	switch r := request.(type) {
	case *metadata.Request:
		return w.layout, nil
	case *produce.Request:
		packed, err := w.pack(r)
		if err != nil {
			return nil, err
		}
		request = packed
	}
	if err := ctx.Err(); err != nil {
		return nil, err // or a connection would be lost to it
	}
	return w.next.RoundTrip(ctx, addr, request)
}

// pack returns a request of packed batches, and an error if one is overtaken.
func (w *wire) pack(r *produce.Request) (*rawproduce.Request, error) {
	out := &rawproduce.Request{TransactionalID: r.TransactionalID, Acks: r.Acks, Timeout: r.Timeout}
	for _, t := range r.Topics {
		topic := rawproduce.RequestTopic{Topic: t.Topic}
		for _, part := range t.Partitions {
			set, oldest, err := w.packer.recordSet(part.RecordSet.Records)
			if err != nil {
				return nil, fmt.Errorf("pack a batch: %w", err)
			}
			if f := w.last[part.Partition].Load(); f != nil && oldest.Before(f.at) {
				return nil, fmt.Errorf("%w: %s", errOvertaken, f.cause.Error())
			}
			topic.Partitions = append(topic.Partitions, rawproduce.RequestPartition{
				Partition: part.Partition, RecordSet: protocol.RawRecordSet{Reader: bytes.NewReader(set)},
			})
		}
		out.Topics = append(out.Topics, topic)
	}
	return out, nil
}
