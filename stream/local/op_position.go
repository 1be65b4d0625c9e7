package local

import (
	"encoding/binary"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/klaxon-dev/klaxon/stream"
)

// positionOp moves a group's position, if its member still owns the partition.
type positionOp struct {
	log       *Log
	partition *partition
	group     *group
	member    *member
	position  stream.Position
}

func (o *positionOp) stage(b *pebble.Batch) error {
	t := o.partition.topic
	if !t.owns(o.group, o.member) {
		return stream.ErrFenced
	}
	if err := o.position.Check(o.partition.next.offset); err != nil {
		return err
	}
	if err := o.log.space.forPositions(); err != nil {
		return err
	}
	return setPosition(b, t, o.group, o.partition.index, o.position)
}

func (o *positionOp) publish() {
	t := o.partition.topic
	t.mu.Lock()
	defer t.mu.Unlock()
	o.group.positions[o.partition.index] = o.position
}

func setPosition(b *pebble.Batch, t *topic, g *group, partition int, p stream.Position) error {
	value := binary.BigEndian.AppendUint64(nil, uint64(p.Offset))
	value = binary.BigEndian.AppendUint64(value, uint64(p.Replay))
	value = append(value, p.Metadata...)
	if err := b.Set(positionKey(t.name, g.name, partition), value, nil); err != nil {
		return fmt.Errorf("stage position: %w", err)
	}
	return nil
}

func readPosition(value []byte) (p stream.Position, err error) {
	if len(value) < 16 {
		return p, fmt.Errorf("position: %w", errCorrupt)
	}
	p.Offset = int64(binary.BigEndian.Uint64(value))
	p.Replay = int64(binary.BigEndian.Uint64(value[8:]))
	p.Metadata = string(value[16:])
	if p.Replay < 0 || p.Replay > p.Offset {
		return p, fmt.Errorf("position %d with a replay of %d: %w", p.Offset, p.Replay, errCorrupt)
	}
	return p, nil
}
