package store

import (
	"context"

	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/stream"
)

// WriteFindings stores the findings of one partition of topic findings, as
// WriteEvents does events. A finding that comes again replaces itself: the table
// keeps what counts most and, of that, the highest revision. What is open in the
// table and held by no stage any more is closed, with the reason.
func (s *Store) WriteFindings(ctx context.Context, claim stream.Claim) error {
	return replacing[findingRow]{
		topic:   topic.Findings,
		table:   "findings",
		columns: findingColumns,
		bounds:  soon(),
		rows:    findingRows,
		record:  func(r *findingRow) stream.Record { return r.record },
		setAside: func(ctx context.Context, w *replacingWriter[findingRow], bad []unfit) error {
			return s.setAside(ctx, &w.retry, w.logger, w.topic, bad)
		},
		inserted: func(ctx context.Context, w *replacingWriter[findingRow], records []stream.Record) error {
			for i := range records {
				open, err := topic.DecodeOpen(&records[i])
				if err != nil {
					continue // it is a finding, or was set aside
				}
				if err := s.closeAbandoned(ctx, w, &open, &records[i]); err != nil {
					return err
				}
			}
			return nil
		},
	}.consume(ctx, s, claim)
}

// findingRows makes the row of a finding. A record that says which are open has
// none.
func findingRows(r *stream.Record) ([]findingRow, error) {
	if topic.KindOf(r) == topic.KindOpen {
		_, err := topic.DecodeOpen(r)
		return nil, err
	}
	f, err := topic.DecodeFinding(r)
	if err != nil {
		return nil, err
	}
	return []findingRow{newFindingRow(&f, *r)}, nil
}
