package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/klaxon-dev/klaxon/ingest"
	"github.com/klaxon-dev/klaxon/internal/query"
	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/store"
	"github.com/klaxon-dev/klaxon/stream"
)

// deadLetters returns what keeps the records that the store cannot take.
func deadLetters(log stream.Producer, sealer *ingest.Sealer) store.DeadLetter {
	return func(ctx context.Context, r stream.Record, reason string) error {
		letter := topic.DeadLetter{Reason: reason, Sender: "store", Received: r.Time, Length: int64(len(r.Value))}
		if e, err := topic.DecodeEvent(&r); err == nil {
			letter.Cluster, letter.Sender, letter.Received = e.Cluster, e.Sender, e.Received
		}
		err := appendLetter(ctx, log, sealer, &letter, r.Value)
		for text := r.Value; errors.Is(err, stream.ErrTooLarge) && len(text) > 0; { // Length says that it is cut
			text = text[:len(text)/2]
			err = appendLetter(ctx, log, sealer, &letter, text)
		}
		return err
	}
}

func appendLetter(ctx context.Context, log stream.Producer, sealer *ingest.Sealer, letter *topic.DeadLetter, text []byte) error {
	sealer.Seal(letter, text)
	record := letter.Record(log.Partitions(topic.DeadLetters))
	return log.Append(ctx, topic.DeadLetters, []stream.Record{record})
}

// unsealing returns what opens the dead letters that the store keeps.
func unsealing(sealer *ingest.Sealer) func(query.SealedLetter) ([]byte, error) {
	return func(d query.SealedLetter) ([]byte, error) {
		text, err := sealer.Open(&topic.DeadLetter{
			Reason: d.Reason, Cluster: d.Cluster, Sender: d.Sender, Received: d.Received, Length: d.Length, KeyID: d.KeyID, Sealed: d.Sealed,
		})
		if err != nil {
			return nil, fmt.Errorf("%w: %w", query.ErrSealed, err)
		}
		return text, nil
	}
}
