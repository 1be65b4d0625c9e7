package store

import (
	"context"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/internal/query"
)

// SearchDeadLetters returns one page of the dead letters that q selects, without
// what is sealed in them, the one received last first. Its errors are those of
// SearchEvents.
func (s *Store) SearchDeadLetters(ctx context.Context, q query.DeadLetters) (query.DeadLetterPage, error) {
	f := letterFilter(&q)
	limit := f.pageLimit(q.Limit)
	if f.err != nil {
		return query.DeadLetterPage{}, f.err
	}
	var page query.DeadLetterPage
	var last letterRow
	err := s.letters(ctx, f, letterColumns[:len(letterColumns)-1], limit+1, func(r letterRow) {
		if len(page.Letters) == limit {
			page.Next = cursor{kind: cursorLetters, time: last.received, id: last.id}.String()
			return
		}
		last = r
		page.Letters = append(page.Letters, r.letter())
	})
	if err != nil {
		return query.DeadLetterPage{}, err
	}
	return page, nil
}

// DeadLetter returns a dead letter of one of the allowed clusters (nil: of any)
// with what is sealed in it, else query.ErrNotFound.
func (s *Store) DeadLetter(ctx context.Context, id query.DeadLetterID, allowed []audit.ClusterID) (query.SealedLetter, error) {
	var found []query.SealedLetter
	f := letterFilter(&query.DeadLetters{IDs: []query.DeadLetterID{id}, Allowed: allowed})
	err := s.letters(ctx, f, letterColumns, 1, func(r letterRow) {
		found = append(found, query.SealedLetter{DeadLetter: r.letter(), Sealed: r.sealed})
	})
	if err != nil {
		return query.SealedLetter{}, err
	}
	if len(found) == 0 {
		return query.SealedLetter{}, fmt.Errorf("dead letter %s: %w", id, query.ErrNotFound)
	}
	return found[0], nil
}

// letters hands at most limit rows to take. Copies that are not merged yet count
// once.
func (s *Store) letters(ctx context.Context, f *filter, columns []column[letterRow], limit int, take func(letterRow)) error {
	sql := fmt.Sprintf("SELECT %s\nFROM dead_letters\nWHERE %s\nORDER BY received DESC, id DESC\nLIMIT 1 BY id\nLIMIT %d",
		names(columns), f.where(), limit)
	return s.search(ctx, sql, f.args, limit, func(rows driver.Rows) (bool, error) {
		var r letterRow
		if err := scan(rows, columns, &r); err != nil {
			return false, fmt.Errorf("read a dead letter: %w", err)
		}
		take(r)
		return false, nil
	})
}

func (r *letterRow) letter() query.DeadLetter {
	return query.DeadLetter{
		Schema:   query.DeadLetterSchema,
		ID:       query.DeadLetterID(r.id),
		Received: r.received.UTC(),
		Reason:   r.reason,
		Cluster:  audit.ClusterID(r.cluster),
		Sender:   r.sender,
		Length:   r.length,
		Kept:     r.kept,
		Offset:   r.offset,
		Fault:    r.fault,
		KeyID:    r.keyID,
	}
}

// letterFilter makes the condition of a search.
func letterFilter(q *query.DeadLetters) *filter {
	f := &filter{}
	f.allowed(q.Allowed)
	f.texts("cluster", q.Clusters, "cluster")
	if !q.Since.IsZero() {
		f.add("received >= %s", f.micros(q.Since))
	}
	if !q.Until.IsZero() {
		f.add("received < %s", f.micros(q.Until))
	}
	f.texts("sender", q.Senders, "sender")
	f.texts("reason", q.Reasons, "reason")
	ids16(f, "id", q.IDs)
	f.after(cursorLetters, q.Cursor, "received", "id")
	return f
}
