package store

import (
	"context"
	"errors"
	"log/slog"

	"github.com/klaxon-dev/klaxon/stream"
)

// reader reads a claim in batches.
type reader struct {
	claim  stream.Claim
	bounds BatchConfig
	logger *slog.Logger
	lost   func(records int64)

	next int64           // offset of the next record to read
	held []stream.Record // read and not handed out yet
}

// seek goes on at the offset.
func (r *reader) seek(offset int64) { r.next, r.held = offset, nil }

// batch waits for a record and returns those that come within the bounds: at
// least one, at most Rows, about Bytes, as many as there are Wait after the first.
func (r *reader) batch(ctx context.Context) ([]stream.Record, error) {
	if len(r.held) == 0 {
		if err := r.read(ctx, r.bounds.Bytes); err != nil {
			return nil, err
		}
	}
	if err := r.gather(ctx); err != nil {
		return nil, err
	}
	n, _ := r.measure()
	return r.take(n), nil
}

// gather reads on until a bound is reached.
func (r *reader) gather(ctx context.Context) error {
	waiting, stop := context.WithTimeout(ctx, r.bounds.Wait)
	defer stop()
	for {
		n, bytes := r.measure()
		if n < len(r.held) || n == r.bounds.Rows || bytes >= r.bounds.Bytes {
			return nil
		}
		if err := r.read(waiting, r.bounds.Bytes-bytes); err != nil {
			if ctx.Err() == nil && waiting.Err() != nil {
				return nil
			}
			return err
		}
	}
}

// measure returns how many of the held records make a batch, and their bytes.
func (r *reader) measure() (n, bytes int) {
	for n < len(r.held) && n < r.bounds.Rows && (n == 0 || bytes < r.bounds.Bytes) {
		bytes += len(r.held[n].Value) + len(r.held[n].Key)
		n++
	}
	return n, bytes
}

func (r *reader) take(n int) []stream.Record {
	records := r.held[:n:n]
	r.held = r.held[n:]
	return records
}

// exactly returns the records [next, until).
func (r *reader) exactly(ctx context.Context, until int64) ([]stream.Record, error) {
	for r.next < until {
		if err := r.read(ctx, r.bounds.Bytes); err != nil {
			return nil, err
		}
	}
	n := len(r.held)
	for n > 0 && r.held[n-1].Offset >= until {
		n--
	}
	return r.take(n), nil
}

// read waits for a record and adds what there is. It steps over what retention
// has taken: an alarm, counted and said, never silent.
func (r *reader) read(ctx context.Context, bytes int) error {
	for {
		records, err := r.claim.Read(ctx, r.next, bytes)
		var gap *stream.GapError
		if errors.As(err, &gap) && gap.To > r.next {
			r.logger.Error("records were lost before they were stored", "partition", r.claim.Partition(), "from", r.next, "to", gap.To, "why", gap.Reason())
			r.lost(gap.To - r.next)
			r.next = gap.To
			continue
		}
		if err != nil {
			return err
		}
		r.held = append(r.held, records...)
		r.next = records[len(records)-1].Offset + 1
		return nil
	}
}
