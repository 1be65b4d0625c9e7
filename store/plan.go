package store

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/stream"
)

// plan is what becomes of one range of a partition of events.
type plan struct {
	from, to int64
	token    string // names the range and the records in it
	batch    uint64 // the token's hash: the column of that name
	rows     []row
	doubtful []*row // of rows: those whose copies the remembered ids would not show
	unfit    []unfit

	fromMemory, fromStore int // copies that were dropped
}

// unfit is a record that cannot be stored.
type unfit struct {
	record stream.Record
	reason string
	err    error
}

// Reasons of records that are set aside: the label of a metric.
const (
	reasonRecord  = "record"  // the log's record is not of this schema
	reasonEvent   = "event"   // the record's value is no event
	reasonRefused = "refused" // the engine does not take the row
)

// newPlan plans the records, at least one, of a partition. Ids go into the set
// in passing. Without a maxAge no row is kept apart. Its error is
// topic.ErrVersion.
func newPlan(partition int, records []stream.Record, ids *seen, maxAge time.Duration) (*plan, error) {
	p := &plan{from: records[0].Offset, to: records[len(records)-1].Offset + 1}
	p.name(partition, records)
	p.rows = make([]row, 0, len(records))
	for i := range records {
		if err := p.add(&records[i], ids); err != nil {
			return nil, err
		}
	}
	// Before any row is dropped: a repetition may find others in the store.
	if maxAge > 0 {
		judgeTimes(p.rows, maxAge)
	}
	for i := range p.rows {
		r := &p.rows[i]
		r.batch = p.batch
		if !ids.covers(r.ts, r.record.Time) {
			p.doubtful = append(p.doubtful, r)
		}
	}
	return p, nil
}

// name makes the token. It holds the records' keys and time besides the range: a
// log that was made anew counts from 0 again, and its ranges are not those of the
// old one.
func (p *plan) name(partition int, records []stream.Record) {
	h := sha256.New()
	fmt.Fprintf(h, "%d ", records[0].Time.UnixNano())
	for i := range records {
		fmt.Fprintf(h, "%d:", len(records[i].Key))
		h.Write(records[i].Key)
	}
	p.token = fmt.Sprintf("%s/%d/%d-%d/%s", topic.Events, partition, p.from, p.to, hex.EncodeToString(h.Sum(nil)[:16]))
	sum := sha256.Sum256([]byte(p.token))
	p.batch = max(1, binary.BigEndian.Uint64(sum[:8])) // 0 is no batch
}

func (p *plan) add(r *stream.Record, ids *seen) error {
	e, err := topic.DecodeEvent(r)
	switch {
	case errors.Is(err, topic.ErrVersion):
		return fmt.Errorf("record %d: %w", r.Offset, err)
	case err != nil:
		p.setAside(r, reasonRecord, err)
		return nil
	case e.Kind != topic.KindEvent:
		return nil
	}
	if ids.add(e.ID) {
		p.fromMemory++
		return nil
	}
	row, err := newRow(&e, *r)
	if err != nil {
		p.setAside(r, reasonEvent, err)
		return nil
	}
	p.rows = append(p.rows, row)
	return nil
}

func (p *plan) setAside(r *stream.Record, reason string, err error) {
	p.unfit = append(p.unfit, unfit{record: *r, reason: reason, err: err})
}

// drop takes the rows out that the store holds.
func (p *plan) drop(found func(*row) bool) {
	kept := p.rows[:0]
	for i := range p.rows {
		if found(&p.rows[i]) {
			p.fromStore++
			continue
		}
		kept = append(kept, p.rows[i])
	}
	clear(p.rows[len(kept):])
	p.rows, p.doubtful = kept, nil
}

// stamp says when the rows were inserted.
func (p *plan) stamp(now time.Time) {
	for i := range p.rows {
		p.rows[i].ingested = now
	}
}
