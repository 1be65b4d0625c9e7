package store

import (
	"context"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/klaxon-dev/klaxon/internal/query"
)

// SearchEvents returns one page of the events that q selects, newest first by
// event time. A page may end before its limit where its events are large; Next
// says whether there is more. Its errors wrap query.ErrBadFilter (as a
// *query.FilterError), query.ErrBadCursor, query.ErrTooExpensive.
func (s *Store) SearchEvents(ctx context.Context, q query.Events) (query.EventPage, error) {
	f := eventFilter(&q)
	limit := f.pageLimit(q.Limit)
	if f.err != nil {
		return query.EventPage{}, f.err
	}
	// One row more than the page tells whether there is a next one.
	sql := fmt.Sprintf("SELECT %s\nFROM audit_events\nWHERE %s\nORDER BY ts DESC, event_id DESC\nLIMIT %d",
		names(eventColumns), f.where(), limit+1)
	var page query.EventPage
	var last row
	bytes := 0
	err := s.search(ctx, sql, f.args, limit+1, func(rows driver.Rows) (enough bool, err error) {
		if len(page.Events) == limit || bytes > pageBytes {
			page.Next = cursor{kind: cursorEvents, time: last.ts, id: last.id}.String()
			return true, nil
		}
		last = row{}
		if err := scan(rows, eventColumns, &last); err != nil {
			return false, fmt.Errorf("read an event: %w", err)
		}
		bytes += len(last.event.RequestObject) + len(last.event.ResponseObject) + len(last.event.Rest)
		page.Events = append(page.Events, last.stored())
		return false, nil
	})
	if err != nil {
		return query.EventPage{}, err
	}
	return page, nil
}

// eventFilter makes the condition of a search.
func eventFilter(q *query.Events) *filter {
	f := &filter{}
	f.allowed(q.Allowed)
	f.texts("cluster", q.Clusters, "cluster")
	if !q.Since.IsZero() {
		f.add("ts >= %s", f.micros(q.Since))
	}
	if !q.Until.IsZero() {
		f.add("ts < %s", f.micros(q.Until))
	}
	f.texts("user", q.Users, "user", "impersonated_user")
	f.texts("verb", q.Verbs, "verb")
	f.resources(q.Resources)
	f.texts("namespace", q.Namespaces, "namespace")
	f.texts("name", q.Names, "name")
	f.codes(q.Codes)
	f.sourceIPs(q.SourceIPs)
	ids16(f, "event_id", q.IDs)
	f.texts("audit_id", q.AuditIDs, "audit_id")
	f.texts("stage", q.Stages, "stage")
	f.after(cursorEvents, q.Cursor, "ts", "event_id")
	return f
}
