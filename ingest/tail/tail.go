// Package tail follows the audit log that an API server writes to a file and
// brings it to a webhook receiver: the second way for events that the webhook
// may lose. An event has the same identity on both ways.
//
// How far it came is stored only when the receiver has said that all before it
// is on its disk. So nothing is lost by an end of either, and what is sent a
// second time the receiver's installation recognises.
package tail

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/klaxon-dev/klaxon/internal/seldom"
)

// From says where to begin a file that no position is stored of.
type From string

// Where to begin.
const (
	FromStart  From = "start"  // the beginning of the file
	FromOldest From = "oldest" // the beginning of the oldest rotated file that is there
	FromEnd    From = "end"    // its end: what is written from now on
)

// Config says what is followed. All but MaxRetry and Sent is required.
type Config struct {
	File  string // absolute
	State *State
	From  From
	// Once ends the run where there is nothing more to read. An error that only a
	// change of the command line or the receiver's configuration mends ends it too.
	Once bool
	// Post sends a body. When it returns nil, all of it is durable; see
	// [ingest.Poster].
	Post func(ctx context.Context, body []byte) error
	// MaxRetry bounds how long one body is sent again. Default: without end.
	MaxRetry   time.Duration
	Logger     *slog.Logger
	Now        func() time.Time
	Registerer prometheus.Registerer
	// Sent, if set, is told what was accepted, after each batch.
	Sent func(Stats)
}

// Stats says what a run did.
type Stats struct {
	Lines      int64      `json:"lines"`            // accepted
	Events     int64      `json:"events"`           // accepted
	Malformed  int64      `json:"malformed"`        // lines and parts of lines kept as dead letters
	Bytes      int64      `json:"bytes"`            // of the lines
	Requests   int64      `json:"requests"`         // accepted
	Retries    int64      `json:"retries"`          // requests that were sent again
	Gaps       int        `json:"gaps"`             // files that were lost before they were read to their ends
	Unfinished int64      `json:"unfinished_bytes"` // of a last line that has no newline yet; it is not sent
	LastEvent  *time.Time `json:"last_event"`       // time of the last event
	File       string     `json:"file"`             // that was read last
	Offset     int64      `json:"offset"`           // in it: what is stored
}

// pollEvery is how often a file at its end is looked at. Looking works where
// notifications do not: on network file systems, through links and mounts.
const pollEvery = 250 * time.Millisecond

// Run follows a file until ctx ends, then lets the receiver answer what it was
// sent, for some seconds, and returns nil. With Once it returns at the file's
// end, nil only if the receiver has accepted all of it.
func Run(ctx context.Context, c Config) (Stats, error) {
	stored, err := c.State.load(c.File)
	if err != nil {
		return Stats{}, err
	}
	m, err := newMetrics(c.Registerer)
	if err != nil {
		return Stats{}, fmt.Errorf("metrics of tail: %w", err)
	}
	t := &tailer{
		Config:   c,
		metrics:  m,
		gate:     seldom.NewGate[string](c.Now),
		follower: follower{path: c.File, from: c.From, logger: c.Logger, metrics: m, stored: stored},
	}
	if stored != nil {
		t.follower.last = stored.LastEvent
	}
	defer t.follower.close()
	err = t.run(ctx)
	t.stats.Gaps = t.follower.gaps
	if s := t.follower.source; s != nil {
		t.stats.Unfinished = s.lines.unfinished()
	}
	return t.stats, err
}

// tailer is one run. It is used by one goroutine.
type tailer struct {
	Config
	metrics  *metrics
	gate     *seldom.Gate[string] // of what is logged
	follower follower
	batch    batch
	stats    Stats
	measured time.Time // when the lag was
}

func (t *tailer) run(ctx context.Context) error {
	for {
		end, err := t.gather(ctx)
		if err = errors.Join(err, t.deliver(ctx)); err != nil {
			return t.ended(ctx, err)
		}
		if end {
			return nil
		}
		if ctx.Err() != nil {
			return t.ended(ctx, ctx.Err())
		}
	}
}

// ended makes the end that was asked for no error, unless all was to be sent.
func (t *tailer) ended(ctx context.Context, err error) error {
	switch {
	case ctx.Err() == nil || !errors.Is(err, ctx.Err()):
		return err
	case t.Once:
		return fmt.Errorf("stopped before the end of %s: run it again to go on: %w", t.File, err)
	default:
		return nil
	}
}

// gather fills the batch: until it is full, or its first line has waited long
// enough, or ctx ends. It reports whether there is nothing more to read, for a
// run that ends there.
func (t *tailer) gather(ctx context.Context) (end bool, err error) {
	var due time.Time // of the batch, once it holds a line
	for !t.batch.full() && ctx.Err() == nil {
		l, err := t.next()
		switch {
		case err == nil:
			t.batch.add(l)
			if due.IsZero() {
				due = t.Now().Add(maxWait)
			}
			continue
		case !errors.Is(err, io.EOF) && t.Once:
			return false, err
		case errors.Is(err, io.EOF) && t.Once:
			return true, t.missing()
		case !errors.Is(err, io.EOF):
			t.say("the file cannot be read now: waiting", "file", t.File, "err", err)
		case t.follower.source == nil:
			t.say("the file is not there yet: waiting", "file", t.File)
		}
		t.measure()
		wait := pollEvery
		if !due.IsZero() {
			wait = min(wait, due.Sub(t.Now()))
		}
		if wait <= 0 || sleep(ctx, wait) != nil {
			return false, nil
		}
	}
	return false, nil
}

// next returns the follower's next line. Where to begin is stored first, so that
// a run that ends before its first batch begins there again.
func (t *tailer) next() (line, error) {
	if t.follower.source == nil {
		if err := t.follower.begin(); err != nil {
			return line{}, err
		}
		if t.batch.lines == 0 {
			if err := t.store(); err != nil {
				return line{}, err
			}
		}
	}
	return t.follower.next()
}

// missing is the error of a run that found no file to read.
func (t *tailer) missing() error {
	if t.follower.source == nil {
		return fmt.Errorf("%s is not there", t.File)
	}
	return nil
}

// say logs one thing at most once a minute.
func (t *tailer) say(what string, args ...any) {
	if t.gate.Due(what) {
		t.Logger.Warn(what, args...)
	}
}

// measure sets the lag's metric, at most once a second: it lists a directory.
func (t *tailer) measure() {
	if now := t.Now(); now.Sub(t.measured) >= time.Second {
		t.measured = now
		if lag, err := t.follower.lag(); err == nil {
			t.metrics.lag.Set(float64(lag))
		}
	}
}

// store makes durable how far the receiver has all.
func (t *tailer) store() error {
	p := t.follower.position()
	t.stats.File, t.stats.Offset = p.Path, p.Offset
	return t.State.store(&p)
}
