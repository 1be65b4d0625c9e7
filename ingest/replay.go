package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"time"
)

// Bounds of a replayed request, as of an API server's: the number is its
// default, the size ours.
const (
	DefaultReplayBatch = 400
	replayBodyBytes    = 32 << 20
)

// ReplayConfig says where and how recorded events are sent.
type ReplayConfig struct {
	URL    string // as WebhookURL returns it
	Token  string // "" where Client has a certificate
	Client *http.Client
	Batch  int           // events in a request, at most; 0: DefaultReplayBatch
	Delta  time.Duration // added to the events' times
	Rate   float64       // events a second, 0: as fast as they are taken
	Speed  float64       // multiple of the recorded pace, 0: no pace
	// Sent, if set, is told what has been sent after each request.
	Sent func(ReplayStats)
}

// ReplayStats counts what a replay did.
type ReplayStats struct {
	Events   int // accepted
	Requests int // accepted
	Retries  int
	Dropped  int // events of requests that an API server would have given up
}

// ErrDropped is the cause of a replay that lost events.
var ErrDropped = errors.New("events were not accepted, after all retries")

// Replay sends events as an API server would: EventList bodies of up to 400,
// over one connection, with its headers and its retries. Unlike an API server
// it sends one request at a time, and it ends at once when it is refused for
// good (401, 403, 404 and their kin) or cannot reach the receiver even once.
//
// An event is a JSON object as a log line or a POST holds it. The first error
// of events ends the replay, after what came before it was sent.
func Replay(ctx context.Context, c ReplayConfig, events iter.Seq2[[]byte, error]) (ReplayStats, error) {
	setDefault(&c.Batch, DefaultReplayBatch)
	r := &replayer{ReplayConfig: c, started: time.Now()}
	for event, err := range events {
		if err != nil {
			return r.stats, errors.Join(err, r.send(ctx))
		}
		if err := r.add(ctx, event); err != nil {
			return r.stats, err
		}
	}
	if err := r.send(ctx); err != nil {
		return r.stats, err
	}
	if r.stats.Dropped > 0 {
		return r.stats, fmt.Errorf("%d %w", r.stats.Dropped, ErrDropped)
	}
	return r.stats, nil
}

// replayer gathers events into a request.
type replayer struct {
	ReplayConfig
	stats   ReplayStats
	started time.Time
	first   time.Time // time of the first event that has one
	reached bool      // the receiver has answered once

	items [][]byte
	bytes int
}

// add puts an event into the request at hand, which is sent first if it is full
// or if the event is not due yet.
func (r *replayer) add(ctx context.Context, event []byte) error {
	item, err := WebhookItem(event, r.Delta)
	if err != nil {
		return err
	}
	due, err := r.due(event)
	if err != nil {
		return err
	}
	full := len(r.items) == r.Batch || r.bytes+len(item) > replayBodyBytes
	if full || time.Until(due) > 0 {
		if err := r.send(ctx); err != nil {
			return err
		}
	}
	if err := sleepUntil(ctx, due); err != nil {
		return err
	}
	r.items, r.bytes = append(r.items, item), r.bytes+len(item)
	return nil
}

// due returns when an event may be sent, by rate and pace.
func (r *replayer) due(event []byte) (time.Time, error) {
	var due time.Time
	if r.Rate > 0 {
		// A request waits for its last event, so that it is sent full.
		before := (r.stats.Events + r.stats.Dropped) + len(r.items)
		due = r.started.Add(time.Duration(float64(before-before%r.Batch) / r.Rate * float64(time.Second)))
	}
	if r.Speed <= 0 {
		return due, nil
	}
	at, err := EventTime(event)
	if err != nil || at.IsZero() {
		return due, err
	}
	if r.first.IsZero() {
		r.first = at
	}
	// An API server's requests gather what happened within a second.
	offset := time.Duration(float64(at.Sub(r.first)) / r.Speed)
	paced := r.started.Add((offset + time.Second - 1).Truncate(time.Second))
	if paced.After(due) {
		due = paced
	}
	return due, nil
}

// send sends the request at hand, if it holds anything.
func (r *replayer) send(ctx context.Context) error {
	if len(r.items) == 0 {
		return nil
	}
	retries, err := r.deliver(ctx, r.body())
	r.stats.Retries += retries
	switch {
	case errors.Is(err, errGivenUp):
		r.stats.Dropped += len(r.items)
	case err != nil:
		return err
	default:
		r.stats.Events += len(r.items)
		r.stats.Requests++
	}
	r.items, r.bytes = r.items[:0], 0
	if r.Sent != nil {
		r.Sent(r.stats)
	}
	return nil
}

// body writes the EventList as an API server does.
func (r *replayer) body() []byte {
	var b bytes.Buffer
	b.Grow(r.bytes + len(r.items) + 100)
	b.WriteString(`{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[`)
	for i, item := range r.items {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(item)
	}
	b.WriteString("]}\n")
	return b.Bytes()
}

func sleepUntil(ctx context.Context, t time.Time) error {
	d := time.Until(t)
	if d <= 0 {
		return nil
	}
	return sleep(ctx, d)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
