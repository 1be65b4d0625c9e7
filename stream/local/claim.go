package local

import (
	"context"
	"fmt"

	"github.com/klaxon-dev/klaxon/stream"
)

// claim implements stream.Claim.
type claim struct {
	log       *Log
	partition *partition
	group     *group
	member    *member
	ended     <-chan struct{} // closed when the ownership is to end

	// ahead is decoded and not handed out yet: a reader that goes on takes it
	// from here. It is at most one block.
	ahead []stream.Record
}

// Partition implements stream.Claim.
func (c *claim) Partition() int { return c.partition.index }

// Position implements stream.Claim.
func (c *claim) Position() stream.Position {
	return c.partition.topic.position(c.group, c.partition.index)
}

// End implements stream.Claim.
func (c *claim) End() int64 {
	_, end := c.partition.bounds()
	return end.offset
}

// Read implements stream.Claim. It waits no longer than the ownership lasts.
func (c *claim) Read(ctx context.Context, from int64, maxBytes int) ([]stream.Record, error) {
	if err := c.log.enterClaim(); err != nil {
		return nil, err
	}
	defer c.log.calls.Done()
	if from < 0 {
		return nil, fmt.Errorf("read from offset %d", from)
	}
	if err := c.partition.wait(ctx, c.ended, from); err != nil {
		return nil, err
	}
	maxBytes = max(1, maxBytes)
	if len(c.ahead) > 0 && c.ahead[0].Offset == from {
		n := take(c.ahead, &maxBytes)
		records := c.ahead[:n:n]
		c.ahead = c.ahead[n:]
		return records, nil
	}
	records, ahead, err := c.log.engine.read(c.partition, from, maxBytes)
	c.ahead = ahead
	return records, err
}

// Commit implements stream.Claim. It shares its fsync with what else is
// committed at the time.
func (c *claim) Commit(ctx context.Context, p stream.Position) error {
	if err := c.log.enterClaim(); err != nil {
		return err
	}
	defer c.log.calls.Done()
	o := &positionOp{log: c.log, partition: c.partition, group: c.group, member: c.member, position: p}
	if err := c.log.submit(ctx, o, func() {}); err != nil {
		return fmt.Errorf("commit %s/%d: %w", c.partition.topic.name, c.partition.index, err)
	}
	return nil
}
