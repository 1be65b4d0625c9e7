package store

import (
	"context"
	"errors"
	"time"

	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/stream"
)

// WriteDeadLetters stores the dead letters of one partition of topic
// deadletter, as they were sealed. A letter that comes again replaces itself.
// One that cannot be stored stays where it is, in the log: that is said and
// counted. It does not become a dead letter again.
func (s *Store) WriteDeadLetters(ctx context.Context, claim stream.Claim) error {
	return replacing[letterRow]{
		topic:   topic.DeadLetters,
		table:   "dead_letters",
		columns: letterColumns,
		bounds:  soon(),
		rows: func(r *stream.Record) ([]letterRow, error) {
			row, err := newLetterRow(r)
			return []letterRow{row}, err
		},
		record: func(r *letterRow) stream.Record { return r.record },
		setAside: func(_ context.Context, w *replacingWriter[letterRow], bad []unfit) error {
			for _, u := range bad {
				s.metrics.setAside.WithLabelValues(w.topic, u.reason).Inc()
				w.logger.Error("a dead letter cannot be stored: it is in the log alone", "offset", u.record.Offset, "reason", u.reason)
			}
			return nil
		},
	}.consume(ctx, s, claim)
}

// letterRow is one row of dead_letters.
type letterRow struct {
	id                          topic.LetterID
	received                    time.Time
	cluster, sender, reason     string
	length, kept, offset, fault int64
	keyID                       string
	sealed                      []byte

	record stream.Record // that it comes from; not a column
}

// newLetterRow makes the row of a letter. A record that is none becomes a row of
// its own reason, so that it is seen. Its error is topic.ErrVersion.
func newLetterRow(r *stream.Record) (letterRow, error) {
	d, err := topic.DecodeDeadLetter(r)
	switch {
	case errors.Is(err, topic.ErrVersion):
		return letterRow{}, err
	case err != nil:
		d = topic.DeadLetter{Reason: topic.ReasonRecord, Cluster: d.Cluster, Sender: d.Sender, Received: r.Time, Length: int64(len(r.Value)), Sealed: r.Value}
	}
	return letterRow{
		id:       d.ID(),
		received: inRange(d.Received),
		cluster:  string(d.Cluster),
		sender:   d.Sender,
		reason:   d.Reason,
		length:   d.Length,
		kept:     d.Kept,
		offset:   d.Offset,
		fault:    d.Fault,
		keyID:    d.KeyID,
		sealed:   d.Sealed,
		record:   *r,
	}, nil
}

// letterColumns are the columns of dead_letters, sealed the last.
var letterColumns = []column[letterRow]{
	field("id", typeID, func(r *letterRow) *topic.LetterID { return &r.id }),
	when("received", func(r *letterRow) *time.Time { return &r.received }),
	word("cluster", func(r *letterRow) *string { return &r.cluster }),
	word("sender", func(r *letterRow) *string { return &r.sender }),
	word("reason", func(r *letterRow) *string { return &r.reason }),
	field("length", "Int64", func(r *letterRow) *int64 { return &r.length }),
	field("kept", "Int64", func(r *letterRow) *int64 { return &r.kept }),
	field("offset", "Int64", func(r *letterRow) *int64 { return &r.offset }),
	field("fault", "Int64", func(r *letterRow) *int64 { return &r.fault }),
	word("key_id", func(r *letterRow) *string { return &r.keyID }),
	body("sealed", func(r *letterRow) *[]byte { return &r.sealed }),
}
