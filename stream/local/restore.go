package local

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// layout is the version of what is on disk.
const layout = "2"

// restore reads the state of all topics, and makes what is new.
func (l *Log) restore() error {
	fresh := l.engine.db.NewBatch() // not closed: a failed store may still hold it
	if err := l.checkLayout(fresh); err != nil {
		return err
	}
	for _, t := range l.topics {
		if err := l.restoreTopic(t, fresh); err != nil {
			return fmt.Errorf("topic %s: %w", t.name, err)
		}
	}
	return l.engine.apply(fresh)
}

func (l *Log) checkLayout(fresh *pebble.Batch) error {
	version, err := l.get(formatKey())
	switch {
	case err != nil:
		return err
	case version == nil:
		return fresh.Set(formatKey(), []byte(layout), nil)
	case string(version) == "1":
		return l.upgrade()
	case string(version) != layout:
		return fmt.Errorf("the log has layout %q, this klaxon reads %q: use the klaxon that wrote it", version, layout)
	default:
		return nil
	}
}

func (l *Log) restoreTopic(t *topic, fresh *pebble.Batch) error {
	value, err := l.get(topicKey(t.name))
	if err != nil {
		return err
	}
	had := 0
	if len(value) == 4 {
		had = int(binary.BigEndian.Uint32(value))
	}
	if had > len(t.partitions) {
		return fmt.Errorf("it was made with %d partitions and cannot have fewer: want %d", had, len(t.partitions))
	}
	if had < len(t.partitions) {
		value = binary.BigEndian.AppendUint32(nil, uint32(len(t.partitions)))
		if err := fresh.Set(topicKey(t.name), value, nil); err != nil {
			return err
		}
	}
	for _, p := range t.partitions {
		if err := l.restorePartition(p); err != nil {
			return fmt.Errorf("partition %d: %w", p.index, err)
		}
	}
	return l.restoreGroups(t)
}

// restorePartition finds the partition's ends: in its first and last block, or
// as they were when its last block was removed.
func (l *Log) restorePartition(p *partition) (err error) {
	value, err := l.get(partitionKey(p.topic.name, p.index))
	if err != nil {
		return err
	}
	if value != nil {
		if p.next, p.lastTime, err = decodeEnd(value); err != nil {
			return err
		}
		p.cut = p.next
	}
	it, err := l.engine.db.NewIter(&pebble.IterOptions{LowerBound: p.records, UpperBound: after(p.records)})
	if err != nil {
		return err
	}
	b := &blocks{partition: p, it: it}
	defer func() { err = errors.Join(err, b.close()) }()
	it.First()
	first, ok, err := b.here()
	if err != nil {
		return err
	}
	if ok {
		it.Last()
		last, _, err := b.here()
		if err != nil {
			return err
		}
		p.cut, p.next, p.lastTime, p.oldest = first.start, last.end, last.time, first.time
	}
	p.first, p.end = p.cut, p.next
	return nil
}

// restoreGroups reads the groups of a topic and their positions.
func (l *Log) restoreGroups(t *topic) (err error) {
	prefix := groupsKey(t.name)
	it, err := l.engine.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for it.First(); it.Valid(); it.Next() {
		name, partition, ok := splitPositionKey(it.Key()[len(prefix):])
		if !ok || partition >= len(t.partitions) {
			return fmt.Errorf("position %q: %w", it.Key(), errCorrupt)
		}
		value, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		position, err := readPosition(value)
		if err != nil {
			return err
		}
		if end := t.partitions[partition].end.offset; position.Offset > end {
			return fmt.Errorf("group %s has consumed partition %d up to %d, it ends at %d: records are missing: %w",
				name, partition, position.Offset, end, errCorrupt)
		}
		g := t.group(name)
		g.positions[partition], g.registered = position, true
	}
	return it.Error()
}

// get returns a copy of a value, nil if there is none.
func (l *Log) get(key []byte) ([]byte, error) {
	value, closer, err := l.engine.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return append([]byte{}, value...), closer.Close()
}
