package app

import (
	"context"
	"fmt"
	"testing"

	"github.com/klaxon-dev/klaxon/ingest"
	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/stream"
)

// smallLog takes records of a thousand bytes at the most.
type smallLog struct{ taken []stream.Record }

func (l *smallLog) Partitions(string) int { return 1 }

func (l *smallLog) Append(_ context.Context, _ string, records []stream.Record) error {
	if n := len(records[0].Value); n > 1000 {
		return fmt.Errorf("%w: %d", stream.ErrTooLarge, n)
	}
	l.taken = append(l.taken, records...)
	return nil
}

// A record that is larger than any of ours is kept in part.
func TestDeadLetterOfAGiant(t *testing.T) {
	sealer, err := ingest.NewSealer(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	log := &smallLog{}
	if err := deadLetters(log, sealer)(t.Context(), stream.Record{Value: make([]byte, 100_000)}, topic.ReasonRecord); err != nil {
		t.Fatal(err)
	}
	d, err := topic.DecodeDeadLetter(&log.taken[0])
	if err != nil || d.Length != 100_000 || d.Kept < 300 {
		t.Errorf("%d of %d bytes are kept (%v)", d.Kept, d.Length, err)
	}
}
