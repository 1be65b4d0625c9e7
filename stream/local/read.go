package local

import (
	"errors"
	"fmt"
	"sort"

	"github.com/cockroachdb/pebble/v2"

	"github.com/klaxon-dev/klaxon/stream"
)

// blocks walks the durable blocks of a partition.
type blocks struct {
	partition *partition
	it        *pebble.Iterator
}

// blocks returns the blocks of p before the offset end. The caller closes it.
func (e *engine) blocks(p *partition, end int64) (*blocks, error) {
	it, err := e.db.NewIter(&pebble.IterOptions{LowerBound: p.records, UpperBound: blockKey(p.records, end)})
	if err != nil {
		return nil, fmt.Errorf("read %s/%d: %w", p.topic.name, p.index, err)
	}
	return &blocks{partition: p, it: it}, nil
}

func (b *blocks) close() error { return b.it.Close() }

// placed is a block's header and place.
type placed struct {
	header
	start, end mark
	value      []byte // until the next move
}

// holding moves to the block that holds the offset, or the first after it; false
// if there is none.
func (b *blocks) holding(offset int64) (placed, bool, error) {
	switch {
	case b.it.SeekLT(blockKey(b.partition.records, offset+1)):
		at, ok, err := b.here()
		if err != nil || ok && at.end.offset > offset {
			return at, ok, err
		}
		b.it.Next()
	case b.it.Error() != nil: // of the block that follows, maybe
		b.it.SeekGE(blockKey(b.partition.records, offset))
		if at, ok, err := b.here(); err != nil || ok && at.start.offset == offset {
			return at, ok, err
		}
		return placed{}, false, fmt.Errorf("read %s/%d around %d: %w", b.partition.topic.name, b.partition.index, offset, errCorrupt)
	default:
		b.it.First()
	}
	return b.here()
}

// next moves to the next block.
func (b *blocks) next() (placed, bool, error) {
	b.it.Next()
	return b.here()
}

func (b *blocks) here() (placed, bool, error) {
	p := b.partition
	if !b.it.Valid() {
		if err := b.it.Error(); err != nil {
			return placed{}, false, fmt.Errorf("read %s/%d: %w", p.topic.name, p.index, err)
		}
		return placed{}, false, nil
	}
	value, err := b.it.ValueAndErr()
	if err != nil {
		return placed{}, false, fmt.Errorf("read %s/%d: %w", p.topic.name, p.index, err)
	}
	offset, ok := blockOffset(p.records, b.it.Key())
	h, _, err := readHeader(value)
	if err != nil || !ok || h.total < uint64(len(value)) {
		return placed{}, false, fmt.Errorf("read %s/%d at %d: %w", p.topic.name, p.index, offset, errors.Join(err, errCorrupt))
	}
	return placed{
		header: h,
		start:  mark{offset: offset, total: h.total - uint64(len(value))},
		end:    mark{offset: offset + h.count, total: h.total},
		value:  value,
	}, true, nil
}

// read returns the durable records from the offset on, about maxBytes, and those
// of the last block that are more than that. There must be one at the offset.
func (e *engine) read(p *partition, from int64, maxBytes int) (records, more []stream.Record, err error) {
	_, end := p.bounds()
	b, err := e.blocks(p, end.offset)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	at, ok, err := b.holding(from)
	if err != nil {
		return nil, nil, err
	}
	if !ok || at.start.offset > from {
		return nil, nil, p.gap(from, at, ok, end)
	}
	for next := from; ok && maxBytes > 0 && len(more) == 0; next = at.end.offset {
		if next > from {
			if at, ok, err = b.next(); err != nil || !ok {
				return records, nil, err
			}
			if at.start.offset != next {
				return records, nil, nil // the next read reports it
			}
		}
		held, err := decodeBlock(at.value, p.index, at.start.offset)
		if err != nil {
			return nil, nil, fmt.Errorf("read %s/%d at %d: %w", p.topic.name, p.index, at.start.offset, err)
		}
		held = held[next-at.start.offset:]
		n := take(held, &maxBytes)
		records, more = append(records, held[:n]...), held[n:]
	}
	return records, more, nil
}

// take returns how many records go into maxBytes, the last of them beyond it,
// and takes their bytes off.
func take(records []stream.Record, maxBytes *int) (n int) {
	for n < len(records) && *maxBytes > 0 {
		*maxBytes -= max(1, recordBytes(&records[n]))
		n++
	}
	return n
}

// gap is the error of a read at an offset that is not held.
func (p *partition) gap(from int64, next placed, ok bool, end mark) error {
	to := end.offset
	if ok {
		to = next.start.offset
	}
	return &stream.GapError{Topic: p.topic.name, Partition: p.index, From: from, To: to}
}

// timeAt returns when the record at the offset was taken, unix nanoseconds; 0
// if there is none.
func (e *engine) timeAt(p *partition, offset int64) int64 {
	b, err := e.blocks(p, offset+1)
	if err != nil {
		return 0
	}
	defer func() { _ = b.close() }()
	at, ok, err := b.holding(offset)
	if err != nil || !ok {
		return 0
	}
	return at.time
}

// cutPoint returns the first place between blocks, not beyond the offset limit,
// from which on enough holds of what follows, else the last such place. enough
// is asked with a block's place before it and its time; once it holds it holds
// for all later blocks.
func (e *engine) cutPoint(p *partition, limit int64, enough func(start mark, time int64) bool) (cut mark, err error) {
	first, _ := p.bounds()
	if limit <= first.offset {
		return first, nil
	}
	b, err := e.blocks(p, limit)
	if err != nil {
		return first, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	n := sort.Search(int(limit-first.offset), func(i int) bool {
		at, ok, failed := b.holding(first.offset + int64(i))
		err = errors.Join(err, failed)
		return err != nil || !ok || enough(at.start, at.time)
	})
	if err != nil {
		return first, err
	}
	at, ok, err := b.holding(min(first.offset+int64(n), limit-1))
	switch {
	case err != nil || !ok:
		return first, err
	case first.offset+int64(n) == limit && at.end.offset <= limit:
		return at.end, nil
	default:
		return at.start, nil
	}
}
