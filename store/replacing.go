package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/stream"
)

// replacing is a table whose rows replace their copies: what comes twice changes
// nothing, so ranges of the log need not be announced before they are inserted.
type replacing[R any] struct {
	topic, table string
	columns      []column[R]
	bounds       BatchConfig // of one insert

	// rows makes the rows of a record. An error but topic.ErrVersion sets the
	// record aside.
	rows func(*stream.Record) ([]R, error)
	// known leaves out rows that the table need not get again; nil: none.
	known  func(context.Context, *replacingWriter[R], []R) ([]R, error)
	record func(*R) stream.Record // that a row comes from
	// setAside keeps what cannot be stored.
	setAside func(context.Context, *replacingWriter[R], []unfit) error
	// inserted does, before the commit, what else follows from records whose rows
	// are inserted; nil: nothing. It may be called again for the same records.
	inserted func(context.Context, *replacingWriter[R], []stream.Record) error
}

// replacingWriter stores one partition of a topic while it is owned.
type replacingWriter[R any] struct {
	replacing[R]
	store  *Store
	claim  stream.Claim
	in     reader
	retry  retrier
	logger *slog.Logger
}

// consume stores the records of a partition until ctx ends, or another owns it.
func (t replacing[R]) consume(ctx context.Context, s *Store, claim stream.Claim) error {
	w := &replacingWriter[R]{
		replacing: t, store: s, claim: claim,
		logger: s.logger.With("topic", t.topic, "partition", claim.Partition()),
	}
	w.retry = retrier{logger: w.logger, clock: s.clock, retries: s.metrics.retries, waits: w.measure}
	w.in = reader{claim: claim, bounds: t.bounds, logger: w.logger, lost: func(n int64) {
		s.metrics.lost.WithLabelValues(t.topic).Add(float64(n))
	}}
	w.in.seek(claim.Position().Offset)
	defer s.metrics.lag.DeleteLabelValues(t.topic, strconv.Itoa(claim.Partition()))
	return fmt.Errorf("store %s/%d: %w", t.topic, claim.Partition(), w.run(ctx))
}

func (w *replacingWriter[R]) run(ctx context.Context) error {
	for {
		w.measure()
		records, err := w.in.batch(ctx)
		if err != nil {
			return err
		}
		if err := w.write(ctx, records); err != nil {
			return err
		}
	}
}

func (w *replacingWriter[R]) write(ctx context.Context, records []stream.Record) error {
	rows, bad, err := w.decode(records)
	if err != nil {
		return err
	}
	if err := w.setAside(ctx, w, bad); err != nil {
		return err
	}
	if w.known != nil {
		if rows, err = w.known(ctx, w, rows); err != nil {
			return err
		}
	}
	if err := w.insert(ctx, rows); err != nil {
		return err
	}
	if w.inserted != nil {
		if err := w.inserted(ctx, w, records); err != nil {
			return err
		}
	}
	last := records[len(records)-1]
	if err := commit(ctx, &w.retry, w.claim, stream.Position{Offset: last.Offset + 1}); err != nil {
		return err
	}
	w.store.metrics.rows.WithLabelValues(w.table).Add(float64(len(rows)))
	w.store.metrics.batches.WithLabelValues(w.table).Inc()
	return nil
}

// decode makes the rows of records. Its error is topic.ErrVersion.
func (w *replacingWriter[R]) decode(records []stream.Record) (rows []R, bad []unfit, err error) {
	for i := range records {
		made, err := w.rows(&records[i])
		switch {
		case errors.Is(err, topic.ErrVersion):
			return nil, nil, fmt.Errorf("record %d: %w", records[i].Offset, err)
		case err != nil:
			bad = append(bad, unfit{record: records[i], reason: reasonRecord, err: err})
		default:
			rows = append(rows, made...)
		}
	}
	return rows, bad, nil
}

// insert stores rows; of those that are refused together, halves.
func (w *replacingWriter[R]) insert(ctx context.Context, rows []R) error {
	if len(rows) == 0 {
		return nil
	}
	err := w.send(ctx, rows)
	switch {
	case err == nil:
		return nil
	case !refused(err):
		return err
	case len(rows) == 1:
		return w.setAside(ctx, w, []unfit{{record: w.record(&rows[0]), reason: reasonRefused, err: err}})
	}
	half := len(rows) / 2
	if err := w.insert(ctx, rows[:half]); err != nil {
		return err
	}
	return w.insert(ctx, rows[half:])
}

func (w *replacingWriter[R]) send(ctx context.Context, rows []R) error {
	start, tries := w.store.clock(), 0
	err := w.retry.do(ctx, "insert", refused, func(ctx context.Context) error {
		if tries++; tries > 1 {
			w.store.metrics.repeated.WithLabelValues(w.table).Inc()
		}
		return insert(ctx, w.store, w.table, w.columns, rows, "")
	})
	w.store.metrics.insertTime.WithLabelValues(w.table).Observe(w.store.clock().Sub(start).Seconds())
	if err != nil {
		return fmt.Errorf("insert %d rows of %s: %w", len(rows), w.table, err)
	}
	return nil
}

func (w *replacingWriter[R]) measure() {
	lag := w.claim.End() - w.claim.Position().Offset
	w.store.metrics.lag.WithLabelValues(w.topic, strconv.Itoa(w.claim.Partition())).Set(float64(lag))
}

// soon bounds one insert of what is rare and awaited: it is searchable a tenth
// of a second after it is in the log, whatever events wait for.
func soon() BatchConfig { return BatchConfig{Rows: 1000, Bytes: 8 << 20, Wait: 100 * time.Millisecond} }
