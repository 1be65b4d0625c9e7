package ingest

import (
	"context"
	"fmt"
	"time"

	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/stream"
)

// Heartbeat appends to every partition of the events, for every sender, the
// time before which nothing of that sender is still on its way into the log:
// now, or when the oldest of its requests in progress was received. It returns
// when the records are durable.
func (r *Receiver) Heartbeat(ctx context.Context) error {
	var records []stream.Record
	for _, sender := range r.Senders.Senders() {
		beat := topic.Event{
			Kind:     topic.KindHeartbeat,
			Sender:   r.nameOf(sender),
			Received: r.progress.horizon(sender.Name),
		}
		for partition := range r.eventPartitions {
			record := beat.Record(r.eventPartitions)
			record.Partition = partition
			records = append(records, record)
		}
	}
	if len(records) == 0 {
		return nil
	}
	if err := r.Producer.Append(ctx, topic.Events, records); err != nil {
		return fmt.Errorf("append heartbeats: %w", err)
	}
	r.metrics.heartbeat.Set(float64(r.Now().UnixNano()) / 1e9)
	return nil
}

// RunHeartbeats appends heartbeats until ctx ends, one round each interval. A
// round that fails is logged and made up for by the next.
func (r *Receiver) RunHeartbeats(ctx context.Context, interval time.Duration) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := r.Heartbeat(ctx); err != nil && ctx.Err() == nil {
			r.Logger.Warn("detection's time stands still for idle senders", "err", err)
		}
	}
}
