package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/stream"
)

// WriteEvents stores the events of one partition of topic events until ctx
// ends: a handler for stream.Consumer.Consume. While the engine does not answer
// it waits and the position stays where it is. It returns ctx's error,
// stream.ErrFenced when the partition has another owner, or an error that a
// person must see to: a record or a position of a newer klaxon.
func (s *Store) WriteEvents(ctx context.Context, claim stream.Claim) error {
	s.claims.Add(1)
	defer s.claims.Add(-1)
	w := newEventWriter(s, claim)
	defer w.close()
	return fmt.Errorf("store %s/%d: %w", topic.Events, claim.Partition(), w.run(ctx))
}

// eventWriter is the state of one partition while it is owned.
//
// One range after the other: announce it as metadata of the position, insert it
// under its token, commit. What a dead process had announced is repeated first,
// exactly. See the package comment.
type eventWriter struct {
	store  *Store
	claim  stream.Claim
	in     reader
	ids    *seen
	retry  retrier
	logger *slog.Logger

	lost      bool // records of the range that is being repeated are gone
	repeating bool // a range that a process before this one had announced
}

func newEventWriter(s *Store, claim stream.Claim) *eventWriter {
	w := &eventWriter{
		store:  s,
		claim:  claim,
		ids:    newSeen(),
		logger: s.logger.With("topic", topic.Events, "partition", claim.Partition()),
	}
	w.retry = retrier{logger: w.logger, clock: s.clock, retries: s.metrics.retries, waits: w.measure}
	w.in = reader{claim: claim, bounds: s.config.Batch, logger: w.logger, lost: func(n int64) {
		w.lost = true
		s.metrics.lost.WithLabelValues(topic.Events).Add(float64(n))
	}}
	return w
}

// close takes the gauges of a partition back that is not ours any more.
func (w *eventWriter) close() {
	partition := w.partition()
	w.store.metrics.lag.DeleteLabelValues(topic.Events, partition)
	w.store.metrics.remembered.DeleteLabelValues(partition)
}

func (w *eventWriter) partition() string { return strconv.Itoa(w.claim.Partition()) }

func (w *eventWriter) run(ctx context.Context) error {
	if err := w.resume(ctx); err != nil {
		return err
	}
	for {
		w.measure()
		records, err := w.in.batch(ctx)
		if err != nil {
			return err
		}
		w.ids.trim(records[0].Time.Add(-horizon), w.store.rememberedIDs())
		if err := w.write(ctx, records, w.announcement(records)); err != nil {
			return err
		}
	}
}

// announcement returns the note of a new range.
func (w *eventWriter) announcement(records []stream.Record) note {
	return note{
		Horizon: w.ids.start(records[0].Offset),
		MaxAge:  int64(w.store.config.maxAge() / time.Second),
	}
}

// resume restores the remembered ids and repeats a range that was announced.
func (w *eventWriter) resume(ctx context.Context) error {
	position := w.claim.Position()
	n, err := parseNote(position)
	if err != nil {
		return err
	}
	if err := w.restore(ctx, n.Horizon, position.Offset); err != nil {
		return fmt.Errorf("restore the remembered ids: %w", err)
	}
	if n.Until == 0 {
		return nil
	}
	if end := w.claim.End(); end < n.Until {
		return fmt.Errorf("records up to %d were being stored, but the log ends at %d: it is not the same log any more", n.Until, end)
	}
	w.lost = false
	records, err := w.in.exactly(ctx, n.Until)
	if err != nil || len(records) == 0 {
		return err
	}
	w.logger.Info("an insert that was cut short is repeated", "from", position.Offset, "until", n.Until)
	n.Apart = n.Apart || w.lost
	w.repeating = true
	defer func() { w.repeating = false }()
	return w.write(ctx, records, n)
}

// restore reads the records [from, until) back for their ids. What retention has
// removed of them is looked up in the store instead: the set says what it covers.
func (w *eventWriter) restore(ctx context.Context, from, until int64) error {
	for w.in.seek(from); w.in.next < until; {
		records, err := w.claim.Read(ctx, w.in.next, w.in.bounds.Bytes)
		var gap *stream.GapError
		switch {
		case errors.As(err, &gap):
			w.in.next = min(max(gap.To, w.in.next+1), until)
			continue
		case err != nil:
			return err
		}
		w.remember(records, until)
		w.in.next = records[len(records)-1].Offset + 1
	}
	w.in.seek(until)
	return nil
}

func (w *eventWriter) remember(records []stream.Record, until int64) {
	for n := len(records); n > 0 && records[n-1].Offset >= until; n-- {
		records = records[:n-1]
	}
	if len(records) == 0 {
		return
	}
	w.ids.begin(records)
	for i := range records {
		// What is no event was set aside when it was read first.
		if e, err := topic.DecodeEvent(&records[i]); err == nil && e.Kind == topic.KindEvent {
			w.ids.add(e.ID)
		}
	}
}

// write stores the records: those that the note announces, or else a new range.
func (w *eventWriter) write(ctx context.Context, records []stream.Record, n note) error {
	w.ids.begin(records)
	p, err := newPlan(w.claim.Partition(), records, w.ids, time.Duration(n.MaxAge)*time.Second)
	if err != nil {
		return err
	}
	if err := w.dropStored(ctx, p, n.Apart); err != nil {
		return err
	}
	if len(p.rows)+len(p.unfit) > 0 {
		n.Until = p.to
		if err := w.commit(ctx, n.position(p.from)); err != nil {
			return err
		}
		if err := w.setAside(ctx, p.unfit); err != nil {
			return err
		}
		if err := w.insert(ctx, p, n); err != nil {
			return err
		}
	}
	if err := w.commit(ctx, note{Horizon: n.Horizon}.position(p.to)); err != nil {
		return err
	}
	w.count(p)
	return nil
}

// dropStored takes the rows out whose events the store holds from other batches;
// apart: from this one too.
func (w *eventWriter) dropStored(ctx context.Context, p *plan, apart bool) error {
	ask, batch := p.doubtful, p.batch
	if apart {
		ask, batch = pointers(p.rows), 0
	}
	if len(ask) == 0 {
		return nil
	}
	found, err := w.lookup(ctx, ask, batch)
	if err != nil {
		return err
	}
	p.drop(func(r *row) bool { return found[r.id] })
	return nil
}

// lookup is the store's, until the engine answers.
func (w *eventWriter) lookup(ctx context.Context, rows []*row, batch uint64) (found map[audit.EventID]bool, err error) {
	err = w.retry.do(ctx, "lookup", never, func(ctx context.Context) (err error) {
		found, err = w.store.lookup(ctx, rows, batch)
		return err
	})
	return found, err
}

func pointers(rows []row) []*row {
	list := make([]*row, len(rows))
	for i := range rows {
		list[i] = &rows[i]
	}
	return list
}

// setAside hands records to the dead letters.
func (w *eventWriter) setAside(ctx context.Context, records []unfit) error {
	return w.store.setAside(ctx, &w.retry, w.logger, topic.Events, records)
}

// commit makes the position durable, whatever it takes, unless the partition
// belongs to another.
func (w *eventWriter) commit(ctx context.Context, p stream.Position) error {
	return commit(ctx, &w.retry, w.claim, p)
}

func (w *eventWriter) count(p *plan) {
	m, misdated := w.store.metrics, 0
	for i := range p.rows {
		if reason := p.rows[i].timeReason; reason != "" {
			m.misdated.WithLabelValues(reason).Inc()
			misdated++
		}
	}
	m.rows.WithLabelValues(tableEvents).Add(float64(len(p.rows) - misdated))
	m.rows.WithLabelValues(tableMisdated).Add(float64(misdated))
	m.batches.WithLabelValues(tableEvents).Inc()
	m.duplicates.WithLabelValues("memory").Add(float64(p.fromMemory))
	m.duplicates.WithLabelValues("store").Add(float64(p.fromStore))
}

func (w *eventWriter) measure() {
	m := w.store.metrics
	m.lag.WithLabelValues(topic.Events, w.partition()).Set(float64(w.claim.End() - w.claim.Position().Offset))
	m.remembered.WithLabelValues(w.partition()).Set(float64(w.ids.size))
}
