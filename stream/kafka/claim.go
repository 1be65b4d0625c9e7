package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/segmentio/kafka-go"

	"github.com/klaxon-dev/klaxon/stream"
)

// ticket is what a commit is let in with: a generation of the group and a member
// of it.
type ticket struct {
	generation int
	member     string
}

// claim implements stream.Claim. Read and Commit are called by the handler's
// goroutine, the others by the member's.
type claim struct {
	member    *member
	partition int
	lose      context.CancelFunc // ends the ownership
	end       atomic.Int64
	progress  atomic.Int64 // when it last read or committed, or had nothing to, unix nanoseconds
	newest    atomic.Int64 // when the newest record that it read was taken, unix nanoseconds
	readers   [2]reader    // one that reads on, one that looks back
	last      sighting     // the farthest record that was read; its time is zero: none was
	doubtful  bool         // the last fetch failed: whether the topic is the same is not known
	void      atomic.Pointer[void]

	mu       sync.Mutex
	position stream.Position
	ticket   ticket
	lost     bool          // a commit was refused: another member may have it
	ended    bool          // the handler has returned
	asked    chan struct{} // closed: come to rest
	rests    chan struct{} // closed: it does
	resumed  chan struct{} // closed: go on
}

// void is a stretch of offsets that no records have: marks of transactions.
type void struct{ from, to int64 }

var _ stream.Claim = (*claim)(nil)

func newClaim(m *member, partition int, at place, t ticket, lose context.CancelFunc) *claim {
	c := &claim{
		member: m, partition: partition, lose: lose, position: at.position, ticket: t,
		asked: make(chan struct{}), rests: make(chan struct{}), resumed: make(chan struct{}),
	}
	c.end.Store(at.end)
	c.moved()
	return c
}

// Partition implements stream.Claim.
func (c *claim) Partition() int { return c.partition }

// Position implements stream.Claim.
func (c *claim) Position() stream.Position {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.position
}

// End implements stream.Claim.
func (c *claim) End() int64 { return c.end.Load() }

// sawEnd notes an end of the partition. It never goes back, as that of a new
// leader does for a moment.
func (c *claim) sawEnd(end int64) {
	if c.lag() == 0 {
		c.moved() // what comes now is not late yet
	}
	for old := c.end.Load(); end > old && !c.end.CompareAndSwap(old, end); old = c.end.Load() {
	}
}

// askToRest asks the handler to come to rest at its next Read, or in that which
// it waits in.
func (c *claim) askToRest() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !closed(c.asked) {
		close(c.asked)
	}
}

// resting returns a channel that is closed when the handler rests.
func (c *claim) resting() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rests
}

// resume lets a handler that rests go on, as a member of another generation.
func (c *claim) resume(t ticket, end int64) {
	c.sawEnd(end)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ticket = t
	close(c.resumed)
	c.asked, c.rests, c.resumed = make(chan struct{}), make(chan struct{}), make(chan struct{})
	if c.ended {
		close(c.rests)
	}
}

// returned notes that the handler has returned: it rests for good.
func (c *claim) returned() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	if !closed(c.rests) {
		close(c.rests)
	}
}

// goesOnFrom reports whether the claim is where p says that the group is, and
// may go on: nobody else has committed anything. One that was lost does not,
// even if nobody has had its partition since: its handler has returned, or will.
func (c *claim) goesOnFrom(p stream.Position) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.lost && !c.ended && closed(c.rests) && c.position == p
}

// pass lets a handler through that was not asked to rest, and otherwise holds it
// until it may go on. It returns what tells that it is asked to rest.
func (c *claim) pass(ctx context.Context) (asked <-chan struct{}, err error) {
	for {
		c.mu.Lock()
		asked, resumed := c.asked, c.resumed
		rest := closed(asked)
		if rest && !closed(c.rests) {
			close(c.rests)
		}
		c.mu.Unlock()
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if !rest {
			return asked, nil
		}
		select {
		case <-ctx.Done():
		case <-resumed:
		}
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// Commit implements stream.Claim.
func (c *claim) Commit(ctx context.Context, p stream.Position) error {
	err := c.commit(ctx, p)
	if err != nil {
		return fmt.Errorf("commit in %s/%d: %w", c.member.topic, c.partition, err)
	}
	c.moved()
	return nil
}

func (c *claim) commit(ctx context.Context, p stream.Position) error {
	if err := p.Check(c.End()); err != nil {
		return err
	}
	c.mu.Lock()
	t := c.ticket
	c.mu.Unlock()
	topic := c.member.log.config.Topic(c.member.topic)
	request := &kafka.OffsetCommitRequest{
		GroupID: c.member.name(), GenerationID: t.generation, MemberID: t.member,
		Topics: map[string][]kafka.OffsetCommit{topic: {{Partition: c.partition, Offset: p.Offset, Metadata: encodePosition(p)}}},
	}
	retry := backoff{}
	for {
		err := refusal(c.member.log.client.OffsetCommit(ctx, request))
		switch {
		case err == nil:
			c.mu.Lock()
			c.position = p
			c.mu.Unlock()
			return nil
		case isFenced(err):
			c.mu.Lock()
			c.lost = true
			c.mu.Unlock()
			c.lose()
			return fmt.Errorf("%w: %w", stream.ErrFenced, err)
		case !isPassing(err):
			return err
		}
		c.member.log.metrics.commitRetries.WithLabelValues(c.member.topic, c.member.group).Inc()
		if retry.alarm() {
			c.member.log.logger.Error("a position cannot be committed: trying on", "topic", c.member.topic, "partition", c.partition, "offset", p.Offset, "error", err)
		}
		if err := retry.wait(ctx); err != nil {
			return err
		}
	}
}

// refusal returns why a commit of one position was not taken.
func refusal(answer *kafka.OffsetCommitResponse, err error) error {
	if err != nil {
		return err
	}
	for _, partitions := range answer.Topics {
		for _, p := range partitions {
			return p.Error
		}
	}
	return errors.New("the coordinator's answer says nothing of the position")
}

// isFenced reports whether a commit came from a member that is none any more.
func isFenced(err error) bool {
	return errors.Is(err, kafka.IllegalGeneration) || errors.Is(err, kafka.UnknownMemberId) ||
		errors.Is(err, kafka.RebalanceInProgress) || errors.Is(err, kafka.FencedInstanceID)
}

// isPassing reports whether trying again may help: codes that kafka-go does not
// call temporary are among those that brokers give while they start or end.
func isPassing(err error) bool {
	var code kafka.Error
	if !errors.As(err, &code) {
		return true
	}
	switch code {
	case kafka.Unknown, kafka.BrokerNotAvailable, kafka.ReplicaNotAvailable:
		return true
	}
	return code.Temporary()
}
