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
	for i, part := range byDays(p.rows) {
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
		if err := w.insertApart(ctx, p, part); err != nil {
			return err
		}
	}
	return nil
}

// insertApart stores rows that were refused together: halves of them, and halves
// of those, until what remains is one row, which is set aside.
func (w *eventWriter) insertApart(ctx context.Context, p *plan, rows []row) error {
	for _, part := range byDays(rows) {
		if len(part) == 0 {
			continue
		}
		err := w.send(ctx, part, p.token+"/"+digest(part))
		switch {
		case err == nil:
			continue
		case !refused(err):
			return err
		case len(part) == 1:
			err = w.setAside(ctx, []unfit{{record: part[0].record, reason: reasonRefused, err: err}})
		default:
			half := len(part) / 2
			if err = w.insertApart(ctx, p, part[:half]); err == nil {
				err = w.insertApart(ctx, p, part[half:])
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

// send inserts rows until the engine takes or refuses them.
func (w *eventWriter) send(ctx context.Context, rows []row, token string) error {
	if len(rows) == 0 {
		return nil
	}
	start, tries := w.store.clock(), 0
	err := w.retry.do(ctx, "insert", refused, func(ctx context.Context) error {
		if tries++; tries > 1 || w.repeating {
			w.store.metrics.repeated.WithLabelValues("audit_events").Inc()
		}
		return insert(ctx, w.store, "audit_events", eventColumns, rows, token)
	})
	w.store.metrics.insertTime.WithLabelValues("audit_events").Observe(w.store.clock().Sub(start).Seconds())
	switch {
	case err != nil:
		return fmt.Errorf("insert %d rows: %w", len(rows), err)
	case tries > 1 || w.repeating:
		return w.verify(ctx, rows, token)
	}
	return nil
}

// verify inserts again what the engine knows by its token and does not hold: it
// writes a token down before the rows, and may have died between the two.
func (w *eventWriter) verify(ctx context.Context, rows []row, token string) error {
	found, err := w.lookup(ctx, pointers(rows), 0)
	if err != nil {
		return err
	}
	missing := slices.DeleteFunc(slices.Clone(rows), func(r row) bool { return found[r.id] })
	if len(missing) == 0 {
		return nil
	}
	w.logger.Warn("the engine had dropped rows that it does not hold: they are inserted under another token", "rows", len(missing))
	return w.send(ctx, missing, token+"/"+digest(missing))
}
