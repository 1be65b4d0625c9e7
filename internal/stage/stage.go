// Package stage runs the detection engine as consumers of the durable log:
// matching turns events into matches, windowing turns matches into findings.
// Each may run in many processes; the log says which partition is whose.
package stage

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/stream"
)

// readBytes is how much of a partition is read at once.
const readBytes = 4 << 20

// appender appends to the log until it succeeds.
type appender struct {
	log      stream.Producer
	logger   *slog.Logger
	retries  func(topic string) // counts
	backoffs []time.Duration
}

// append returns when the records are durable, or with ctx's error. An error of
// the log that will not pass by itself is returned too.
func (a *appender) append(ctx context.Context, topic string, records []stream.Record) error {
	if len(records) == 0 {
		return nil
	}
	for attempt := 0; ; attempt++ {
		err := a.log.Append(ctx, topic, records)
		if err == nil || !errors.Is(err, stream.ErrUnavailable) {
			return err
		}
		a.retries(topic)
		if attempt == 0 {
			a.logger.Warn("the log takes no records: waiting", "topic", topic, "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(a.backoffs[min(attempt, len(a.backoffs)-1)]):
		}
	}
}

var defaultBackoffs = []time.Duration{100 * time.Millisecond, 500 * time.Millisecond, 2 * time.Second, 5 * time.Second}

// reader reads a claim on, and steps over what retention has taken: an alarm,
// counted and said, never silent.
type reader struct {
	claim  stream.Claim
	logger *slog.Logger
	lost   func(records int64)
	next   int64
	newest time.Time // when the log took the last record that was read, zero if none was
	hole   *hole     // before what was read last
}

// hole is what a reader stepped over: records that the log took between two times.
type hole struct{ from, to time.Time }

func (r *reader) read(ctx context.Context) ([]stream.Record, error) {
	r.hole = nil
	for {
		records, err := r.claim.Read(ctx, r.next, readBytes)
		var gap *stream.GapError
		if errors.As(err, &gap) {
			r.logger.Error("records were lost before they were read", "topic", gap.Topic, "partition", gap.Partition,
				"from", gap.From, "to", gap.To, "why", gap.Reason())
			r.lost(gap.To - r.next)
			r.next = gap.To
			r.hole = &hole{from: r.newest}
			continue
		}
		if err != nil {
			return nil, err
		}
		if r.hole != nil {
			r.hole.to = records[0].Time
		}
		last := &records[len(records)-1]
		r.next, r.newest = last.Offset+1, last.Time
		return records, nil
	}
}

// events returns the event times that what was lost may have had: events come
// late, and their clocks may be ahead.
func (h *hole) events() detect.Hole {
	e := detect.Hole{From: h.from, To: h.to.Add(detect.MaxClockSkew)}
	if !e.From.IsZero() {
		e.From = e.From.Add(-detect.Lateness)
	}
	return e
}
