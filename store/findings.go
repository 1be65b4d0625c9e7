package store

import (
	"context"

	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/stream"
)

// WriteFindings stores the findings of one partition of topic findings, as
// WriteEvents does events. A finding that comes again replaces itself: the table
// keeps what counts most and, of that, the highest revision.
func (s *Store) WriteFindings(ctx context.Context, claim stream.Claim) error {
	return replacing[findingRow]{
		topic:   topic.Findings,
		table:   "findings",
		columns: findingColumns,
		bounds:  soon(),
		row: func(r *stream.Record) (findingRow, error) {
			f, err := topic.DecodeFinding(r)
			if err != nil {
				return findingRow{}, err
			}
			return newFindingRow(&f, *r), nil
		},
		record: func(r *findingRow) stream.Record { return r.record },
		setAside: func(ctx context.Context, w *replacingWriter[findingRow], bad []unfit) error {
			return s.setAside(ctx, &w.retry, w.logger, w.topic, bad)
		},
	}.consume(ctx, s, claim)
}
