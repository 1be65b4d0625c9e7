package local

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/klaxon-dev/klaxon/stream"
)

// block is records of one partition on their way to the disk.
type block struct {
	partition *partition
	header
	payload []byte
	end     mark // after this block; the committer sets it
}

func (bl *block) size() int64 { return int64(headerBytes + len(bl.payload)) }

// appendOp adds blocks to partitions of one topic, all or none.
type appendOp struct {
	log    *Log
	topic  *topic
	blocks []*block // those of one partition lie together
}

func (o *appendOp) stage(b *pebble.Batch) error {
	err := o.log.space.forRecords()
	if err == nil {
		err = o.makeRoom(b)
	}
	o.noteRefusal(err)
	if err != nil {
		return err
	}
	now := o.log.clock().UnixNano()
	for _, block := range o.blocks {
		if err := block.stage(b, now); err != nil {
			return err
		}
	}
	return nil
}

// makeRoom removes consumed records where a partition would pass its bound:
// those that no group replays first.
func (o *appendOp) makeRoom(b *pebble.Batch) error {
	for i := 0; i < len(o.blocks); {
		p, need := o.blocks[i].partition, int64(0)
		for ; i < len(o.blocks) && o.blocks[i].partition == p; i++ {
			need += o.blocks[i].size()
		}
		for _, replays := range []bool{false, true} {
			if p.held()+need <= p.topic.limit {
				break
			}
			if err := o.log.cutToSize(b, p, need, replays); err != nil {
				return err
			}
		}
		if p.held()+need > p.topic.limit {
			return refuse(reasonFull, "partition %d holds %d bytes that not every group has consumed, at most %d: %w",
				p.index, p.held(), p.topic.limit, stream.ErrUnavailable)
		}
	}
	return nil
}

// noteRefusal says once when the log begins to refuse a topic's records, and
// when it takes them again.
func (o *appendOp) noteRefusal(err error) {
	reason := ""
	var u *unavailable
	if errors.As(err, &u) {
		reason = u.reason
	}
	if reason == o.topic.refusing {
		return
	}
	o.topic.refusing = reason
	logger := o.log.logger.With("topic", o.topic.name)
	if reason != "" {
		logger.Warn("the log refuses records", "reason", reason, "error", err)
	} else {
		logger.Info("the log takes records again")
	}
}

func (o *appendOp) publish() {
	for _, block := range o.blocks {
		block.partition.advance(block.end, block.time)
	}
}

// stage gives the block its place and time and adds it to the batch.
func (bl *block) stage(b *pebble.Batch, now int64) error {
	p := bl.partition
	bl.time = max(now, p.lastTime)
	bl.total = p.next.total + uint64(bl.size())
	bl.end = mark{offset: p.next.offset + bl.count, total: bl.total}
	key := blockKey(p.records, p.next.offset)
	put := b.SetDeferred(len(key), int(bl.size()))
	copy(put.Key, key)
	bl.put(put.Value)
	copy(put.Value[headerBytes:], bl.payload)
	if err := put.Finish(); err != nil {
		return fmt.Errorf("stage records: %w", err)
	}
	bl.payload = nil
	p.next, p.lastTime = bl.end, bl.time
	return nil
}
