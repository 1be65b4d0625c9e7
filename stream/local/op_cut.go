package local

import (
	"encoding/binary"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// cutOp removes the blocks before a mark, unless a group has come meanwhile
// that still reads them.
type cutOp struct {
	log       *Log
	partition *partition
	to        mark
	reason    string // a label: age, size
	replays   bool   // what groups have consumed and would replay goes, too

	from, replayed int64 // first offset that went, how many of a replay; the committer sets them
}

func (o *cutOp) stage(b *pebble.Batch) error {
	p := o.partition
	o.from = p.cut.offset
	consumed, horizon := p.topic.consumed(p.index, p.next.offset)
	if o.to.offset <= p.cut.offset || o.to.offset > consumed || o.to.offset > horizon && !o.replays {
		o.to = p.cut
		return nil
	}
	o.replayed = max(0, o.to.offset-max(o.from, horizon))
	if err := b.DeleteRange(p.records, blockKey(p.records, o.to.offset), nil); err != nil {
		return fmt.Errorf("stage removal: %w", err)
	}
	if err := b.Set(partitionKey(p.topic.name, p.index), encodeEnd(p.next, p.lastTime), nil); err != nil {
		return fmt.Errorf("stage end: %w", err)
	}
	p.cut = o.to
	return nil
}

func (o *cutOp) publish() {
	if o.to.offset == o.from {
		return
	}
	p := o.partition
	p.removed(o.to, o.log.engine.timeAt(p, o.to.offset))
	o.log.metrics.removed.WithLabelValues(p.topic.name, o.reason).Add(float64(o.to.offset - o.from - o.replayed))
	if o.replayed > 0 {
		o.log.metrics.removed.WithLabelValues(p.topic.name, "replay").Add(float64(o.replayed))
		o.log.logger.Error("records that a group still reads were removed for room: raise stream.local.max_bytes",
			"topic", p.topic.name, "partition", p.index, "from", o.to.offset-o.replayed, "to", o.to.offset)
	}
}

// encodeEnd keeps what an empty partition needs to go on: offsets and times
// never start over.
func encodeEnd(next mark, lastTime int64) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(next.offset))
	b = binary.BigEndian.AppendUint64(b, next.total)
	return binary.BigEndian.AppendUint64(b, uint64(lastTime))
}

func decodeEnd(b []byte) (next mark, lastTime int64, err error) {
	if len(b) != 24 {
		return mark{}, 0, fmt.Errorf("end of the partition: %w", errCorrupt)
	}
	next = mark{offset: int64(binary.BigEndian.Uint64(b)), total: binary.BigEndian.Uint64(b[8:])}
	return next, int64(binary.BigEndian.Uint64(b[16:])), nil
}
