package chaos

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/klaxon-dev/klaxon/stream"
)

// pollClock is how often a clock looks at its file.
const pollClock = 20 * time.Millisecond

// Clock tells the time, moved by the duration that stands in a file: none where
// there is no file. It is safe for concurrent use.
type Clock struct {
	path   string
	offset atomic.Int64
}

// NewClock returns the clock of a file.
func NewClock(path string) (*Clock, error) {
	c := &Clock{path: path}
	return c, c.read()
}

// Now returns the moved time.
func (c *Clock) Now() time.Time { return time.Now().Add(time.Duration(c.offset.Load())) }

// Run follows the file until ctx ends. What cannot be read moves nothing.
func (c *Clock) Run(ctx context.Context) {
	ticker := time.NewTicker(pollClock)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			_ = c.read()
		}
	}
}

func (c *Clock) read() error {
	text, err := os.ReadFile(c.path)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("clock: %w", err)
	}
	offset, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("clock %s: %w", c.path, err)
	}
	c.offset.Store(int64(offset))
	return nil
}

// MoveClock makes the clocks of a file go ahead by so much, or behind.
func MoveClock(path string, by time.Duration) error {
	if err := os.WriteFile(path+".new", []byte(by.String()), 0o600); err != nil {
		return fmt.Errorf("move clock: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("move clock: %w", err)
	}
	return nil
}

// Moving returns the consumer with the times moved that it gives records.
func (c *Clock) Moving(log stream.Consumer) stream.Consumer { return movedLog{log, c} }

type movedLog struct {
	stream.Consumer
	clock *Clock
}

// Consume implements stream.Consumer.
func (l movedLog) Consume(ctx context.Context, topic, group string, handle func(context.Context, stream.Claim) error) error {
	return l.Consumer.Consume(ctx, topic, group, func(ctx context.Context, c stream.Claim) error {
		return handle(ctx, movedClaim{c, l.clock})
	})
}

type movedClaim struct {
	stream.Claim
	clock *Clock
}

// Read implements stream.Claim.
func (c movedClaim) Read(ctx context.Context, from int64, maxBytes int) ([]stream.Record, error) {
	records, err := c.Claim.Read(ctx, from, maxBytes)
	for i := range records {
		records[i].Time = records[i].Time.Add(time.Duration(c.clock.offset.Load()))
	}
	return records, err
}
