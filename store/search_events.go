package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/klaxon-dev/klaxon/internal/query"
)

// SearchEvents returns one page of the events that q selects, newest first by
// event time, those that are kept apart among them. A page may end before its
// limit where its events are large; Next says whether there is more. Its errors
// wrap query.ErrBadFilter (as a *query.FilterError), query.ErrBadCursor,
// query.ErrTooExpensive.
func (s *Store) SearchEvents(ctx context.Context, q query.Events) (query.EventPage, error) {
	f := eventFilter(&q)
	tables := eventTables(q.TimeReasons)
	limit := f.pageLimit(q.Limit)
	if f.err != nil {
		return query.EventPage{}, f.err
	}
	// One row more than the page tells whether there is a next one.
	sql := newestEvents(tables, f.where(), limit+1)
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

// newestEvents is the query for the newest events of the tables, at least one.
// Each table gives its own newest: it reads the large columns of no other row.
func newestEvents(tables []string, where string, limit int) string {
	columns := names(eventColumns)
	selects := make([]string, len(tables))
	for i, table := range tables {
		selects[i] = fmt.Sprintf("SELECT %s\nFROM %s\nWHERE %s\nORDER BY ts DESC, event_id DESC\nLIMIT %d", columns, table, where, limit)
	}
	if len(selects) == 1 {
		return selects[0]
	}
	return fmt.Sprintf("SELECT %s\nFROM (\n%s\n)\nORDER BY ts DESC, event_id DESC\nLIMIT %d",
		columns, strings.Join(selects, "\nUNION ALL\n"), limit)
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
	f.timeReasons(q.TimeReasons)
	f.after(cursorEvents, q.Cursor, "ts", "event_id")
	return f
}

// timeReasons adds that a row is kept apart for one of the reasons.
func (f *filter) timeReasons(values []string) {
	f.any("time_reason", values, func(value string) string {
		switch value {
		case query.TimeReasonAny:
			return "time_reason != ''"
		case query.TimeReasonNone:
			return "time_reason = ''"
		}
		known := query.TimeReasons()
		if !slices.Contains(known, value) {
			f.refuse("time_reason", value, "one of "+strings.Join(append(known, query.TimeReasonAny, query.TimeReasonNone), ", "))
		}
		return fmt.Sprintf("time_reason = %s", f.text(value))
	})
}

// eventTables returns the tables that may hold rows with one of the reasons.
func eventTables(reasons []string) (tables []string) {
	none := func(reason string) bool { return reason == query.TimeReasonNone }
	if len(reasons) == 0 || slices.ContainsFunc(reasons, none) {
		tables = append(tables, tableEvents)
	}
	if len(reasons) == 0 || slices.ContainsFunc(reasons, func(r string) bool { return !none(r) }) {
		tables = append(tables, tableMisdated)
	}
	return tables
}
