package local

import (
	"context"
	"fmt"

	"github.com/klaxon-dev/klaxon/stream"
)

// Bounds of what Appends hold in memory besides their callers' records.
const (
	chunkBytes    = 8 << 20  // one request of an Append
	inFlightBytes = 64 << 20 // all requests
)

// Append implements stream.Producer. Many concurrent Appends share one fsync.
// Records of more than 8 MiB together become durable in several steps.
func (l *Log) Append(ctx context.Context, topicName string, records []stream.Record) error {
	started := l.clock()
	t := l.topics[topicName]
	if t == nil {
		return fmt.Errorf("append: there is no topic %q", topicName)
	}
	err := l.append(ctx, t, records)
	if err != nil {
		l.metrics.refused(err)
		return fmt.Errorf("append to %s: %w", topicName, err)
	}
	l.metrics.count(t.name, records, l.clock().Sub(started))
	return nil
}

func (l *Log) append(ctx context.Context, t *topic, records []stream.Record) error {
	if err := l.check(t, records); err != nil {
		return err
	}
	if err := l.enter(); err != nil {
		return err
	}
	defer l.calls.Done()
	for len(records) > 0 {
		n, bytes := l.chunk(records)
		if err := l.appendChunk(ctx, t, records[:n], bytes); err != nil {
			return err
		}
		records = records[n:]
	}
	return nil
}

// check refuses records that no log of this configuration takes.
func (l *Log) check(t *topic, records []stream.Record) error {
	for i := range records {
		r := &records[i]
		if r.Partition < 0 || r.Partition >= len(t.partitions) {
			return fmt.Errorf("there is no partition %d of %d", r.Partition, len(t.partitions))
		}
		if n := recordBytes(r); n > l.config.MaxRecordBytes {
			return fmt.Errorf("%d bytes, at most %d: %w", n, l.config.MaxRecordBytes, stream.ErrTooLarge)
		}
	}
	return nil
}

// chunk returns how many records, at least one, make the next request, and
// their bytes.
func (l *Log) chunk(records []stream.Record) (n, bytes int) {
	limit := min(chunkBytes, l.config.MaxRecordBytes)
	for n < len(records) {
		size := recordBytes(&records[n])
		if n > 0 && bytes+size > limit {
			break
		}
		bytes += size
		n++
	}
	return n, bytes
}

func (l *Log) appendChunk(ctx context.Context, t *topic, records []stream.Record, bytes int) error {
	hold := min(int64(bytes), inFlightBytes)
	if err := l.inFlight.Acquire(ctx, hold); err != nil {
		return err
	}
	o := &appendOp{log: l, topic: t, blocks: l.pack(t, records)}
	return l.submit(ctx, o, func() { l.inFlight.Release(hold) })
}

// pack makes blocks of the records, those of one partition in their order.
func (l *Log) pack(t *topic, records []stream.Record) []*block {
	byPartition := make([][]*stream.Record, len(t.partitions))
	for i := range records {
		r := &records[i]
		byPartition[r.Partition] = append(byPartition[r.Partition], r)
	}
	var blocks []*block
	var buf []byte
	for i, records := range byPartition {
		for len(records) > 0 {
			b := &block{partition: t.partitions[i]}
			buf = buf[:0]
			n := 0
			for n < len(records) && (n == 0 || len(buf)+recordBytes(records[n]) <= blockTarget) {
				buf = appendRecord(buf, records[n])
				n++
			}
			b.codec, b.count = l.codec, int64(n)
			b.payload = encodePayload(l.codec, buf)
			blocks = append(blocks, b)
			records = records[n:]
		}
	}
	return blocks
}
