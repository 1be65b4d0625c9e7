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

// findingBatch bounds one insert of findings: a finding is searchable a tenth of
// a second after it is in the log, whatever events wait for.
var findingBatch = BatchConfig{Rows: 1000, Bytes: 8 << 20, Wait: 100 * time.Millisecond}

// WriteFindings stores the findings of one partition of topic findings, as
// WriteEvents does events. A finding that comes again replaces itself: the table
// keeps the highest revision, so nothing need be announced.
func (s *Store) WriteFindings(ctx context.Context, claim stream.Claim) error {
	w := newFindingWriter(s, claim)
	defer w.close()
	return fmt.Errorf("store %s/%d: %w", topic.Findings, claim.Partition(), w.run(ctx))
}

// findingWriter is the state of one partition while it is owned.
type findingWriter struct {
	store  *Store
	claim  stream.Claim
	in     reader
	retry  retrier
	logger *slog.Logger
}

func newFindingWriter(s *Store, claim stream.Claim) *findingWriter {
	w := &findingWriter{store: s, claim: claim, logger: s.logger.With("topic", topic.Findings, "partition", claim.Partition())}
	w.retry = retrier{logger: w.logger, clock: s.clock, retries: s.metrics.retries, waits: w.measure}
	w.in = reader{claim: claim, bounds: findingBatch, logger: w.logger, lost: func(n int64) {
		s.metrics.lost.WithLabelValues(topic.Findings).Add(float64(n))
	}}
	w.in.seek(claim.Position().Offset)
	return w
}

func (w *findingWriter) close() {
	w.store.metrics.lag.DeleteLabelValues(topic.Findings, strconv.Itoa(w.claim.Partition()))
}

func (w *findingWriter) run(ctx context.Context) error {
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

func (w *findingWriter) write(ctx context.Context, records []stream.Record) error {
	rows, bad, err := findingRows(records)
	if err != nil {
		return err
	}
	if err := w.setAside(ctx, bad); err != nil {
		return err
	}
	if err := w.insert(ctx, rows); err != nil {
		return err
	}
	last := records[len(records)-1]
	if err := commit(ctx, &w.retry, w.claim, stream.Position{Offset: last.Offset + 1}); err != nil {
		return err
	}
	w.store.metrics.rows.WithLabelValues("findings").Add(float64(len(rows)))
	w.store.metrics.batches.WithLabelValues("findings").Inc()
	return nil
}

// findingRows decodes records. Its error is topic.ErrVersion.
func findingRows(records []stream.Record) (rows []findingRow, bad []unfit, err error) {
	for i := range records {
		f, err := topic.DecodeFinding(&records[i])
		switch {
		case errors.Is(err, topic.ErrVersion):
			return nil, nil, fmt.Errorf("record %d: %w", records[i].Offset, err)
		case err != nil:
			bad = append(bad, unfit{record: records[i], reason: reasonRecord, err: err})
		default:
			rows = append(rows, newFindingRow(&f, records[i]))
		}
	}
	return rows, bad, nil
}

// insert stores rows; of those that are refused together, halves.
func (w *findingWriter) insert(ctx context.Context, rows []findingRow) error {
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
		return w.setAside(ctx, []unfit{{record: rows[0].record, reason: reasonRefused, err: err}})
	}
	half := len(rows) / 2
	if err := w.insert(ctx, rows[:half]); err != nil {
		return err
	}
	return w.insert(ctx, rows[half:])
}

func (w *findingWriter) send(ctx context.Context, rows []findingRow) error {
	start, tries := w.store.clock(), 0
	err := w.retry.do(ctx, "insert", refused, func(ctx context.Context) error {
		if tries++; tries > 1 {
			w.store.metrics.repeated.WithLabelValues("findings").Inc()
		}
		return insert(ctx, w.store, "findings", findingColumns, rows, "")
	})
	w.store.metrics.insertTime.WithLabelValues("findings").Observe(w.store.clock().Sub(start).Seconds())
	if err != nil {
		return fmt.Errorf("insert %d findings: %w", len(rows), err)
	}
	return nil
}

func (w *findingWriter) setAside(ctx context.Context, records []unfit) error {
	return w.store.setAside(ctx, &w.retry, w.logger, topic.Findings, records)
}

func (w *findingWriter) measure() {
	lag := w.claim.End() - w.claim.Position().Offset
	w.store.metrics.lag.WithLabelValues(topic.Findings, strconv.Itoa(w.claim.Partition())).Set(float64(lag))
}
