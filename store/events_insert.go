package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
)

// insert stores the plan's rows.
func (w *eventWriter) insert(ctx context.Context, p *plan, n note) error {
	p.stamp(w.store.clock().UTC())
	if n.Apart {
		return w.insertApart(ctx, p, p.rows)
	}
	for i, part := range parts(p.rows) {
		err := w.send(ctx, part, fmt.Sprintf("%s/%d", p.token, i))
		if err == nil {
			continue
		}
		if !refused(err) {
			return err
		}
		// From here on the parts depend on what the engine refuses: a
		// repetition must know.
		n.Until, n.Apart = p.to, true
		if err := w.commit(ctx, n.position(p.from)); err != nil {
			return err
		}
		if err := w.insertApart(ctx, p, part.rows); err != nil {
			return err
		}
	}
	return nil
}

// insertApart stores rows that were refused together: halves of them, and halves
// of those, until what remains is one row, which is set aside.
func (w *eventWriter) insertApart(ctx context.Context, p *plan, rows []row) error {
	for _, part := range parts(rows) {
		err := w.send(ctx, part, p.token+"/"+digest(part.rows))
		switch {
		case err == nil:
			continue
		case !refused(err):
			return err
		case len(part.rows) == 1:
			err = w.setAside(ctx, []unfit{{record: part.rows[0].record, reason: reasonRefused, err: err}})
		default:
			half := len(part.rows) / 2
			if err = w.insertApart(ctx, p, part.rows[:half]); err == nil {
				err = w.insertApart(ctx, p, part.rows[half:])
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// digest names the rows of a part.
func digest(rows []row) string {
	h := sha256.New()
	for i := range rows {
		h.Write(rows[i].id[:])
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// send inserts a part until the engine takes or refuses it.
func (w *eventWriter) send(ctx context.Context, p part, token string) error {
	start, tries := w.store.clock(), 0
	err := w.retry.do(ctx, "insert", refused, func(ctx context.Context) error {
		if tries++; tries > 1 || w.repeating {
			w.store.metrics.repeated.WithLabelValues(p.table).Inc()
		}
		return insert(ctx, w.store, p.table, eventColumns, p.rows, token)
	})
	w.store.metrics.insertTime.WithLabelValues(p.table).Observe(w.store.clock().Sub(start).Seconds())
	switch {
	case err != nil:
		return fmt.Errorf("insert %d rows of %s: %w", len(p.rows), p.table, err)
	case tries > 1 || w.repeating:
		return w.verify(ctx, p, token)
	}
	return nil
}

// verify inserts again what the engine knows by its token and does not hold: it
// writes a token down before the rows, and may have died between the two.
func (w *eventWriter) verify(ctx context.Context, p part, token string) error {
	found, err := w.lookup(ctx, pointers(p.rows), 0)
	if err != nil {
		return err
	}
	missing := slices.DeleteFunc(slices.Clone(p.rows), func(r row) bool { return found[r.id] })
	if len(missing) == 0 {
		return nil
	}
	w.logger.Warn("the engine had dropped rows that it does not hold: they are inserted under another token", "rows", len(missing))
	return w.send(ctx, part{table: p.table, rows: missing}, token+"/"+digest(missing))
}
