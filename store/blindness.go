package store

import (
	"context"
	"time"

	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/stream"
)

// WriteBlindness stores how often rules could not tell, of one partition of topic
// blind, as WriteEvents does events. A count that is said again replaces itself,
// or a smaller one that it contains.
func (s *Store) WriteBlindness(ctx context.Context, claim stream.Claim) error {
	return replacing[blindRow]{
		topic:   topic.Blind,
		table:   "blindness",
		columns: blindColumns,
		bounds:  soon(),
		rows: func(r *stream.Record) ([]blindRow, error) {
			b, err := topic.DecodeBlindness(r)
			return []blindRow{newBlindRow(&b, *r)}, err
		},
		record: func(r *blindRow) stream.Record { return r.record },
		setAside: func(ctx context.Context, w *replacingWriter[blindRow], bad []unfit) error {
			return s.setAside(ctx, &w.retry, w.logger, w.topic, bad)
		},
	}.consume(ctx, s, claim)
}

// blindRow is one row of blindness.
type blindRow struct {
	cluster, rule, resource, needs string
	hour                           time.Time
	source                         uint32
	segment, until, evaluations    uint64
	received                       time.Time

	record stream.Record // that it comes from; not a column
}

func newBlindRow(b *topic.Blindness, r stream.Record) blindRow {
	return blindRow{
		cluster:     string(b.Cluster),
		hour:        inRange(b.Hour),
		rule:        string(b.Rule),
		resource:    b.Resource,
		needs:       string(b.Needs),
		source:      uint32(b.Source),
		segment:     uint64(b.Segment),
		until:       uint64(b.Until),
		evaluations: uint64(b.Evaluations),
		received:    inRange(r.Time),
		record:      r,
	}
}

// blindColumns are the columns of blindness.
var blindColumns = []column[blindRow]{
	word("cluster", func(r *blindRow) *string { return &r.cluster }),
	field("hour", "DateTime('UTC')", func(r *blindRow) *time.Time { return &r.hour }),
	word("rule", func(r *blindRow) *string { return &r.rule }),
	word("resource", func(r *blindRow) *string { return &r.resource }),
	word("needs", func(r *blindRow) *string { return &r.needs }),
	field("source", "UInt32", func(r *blindRow) *uint32 { return &r.source }),
	field("segment", "UInt64", func(r *blindRow) *uint64 { return &r.segment }),
	field("until", "UInt64", func(r *blindRow) *uint64 { return &r.until }),
	field("evaluations", "UInt64", func(r *blindRow) *uint64 { return &r.evaluations }),
	when("received", func(r *blindRow) *time.Time { return &r.received }),
}
