package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/klaxon-dev/klaxon/stream"
)

// Times of groups.
const (
	heartbeats  = time.Second
	joinBackoff = time.Second
)

// member is one call of Consume: a member of a group.
type member struct {
	log      *Log
	topic    string
	group    string
	handle   func(context.Context, stream.Claim) error
	balancer sticky
	ctx      context.Context
	end      context.CancelCauseFunc // ends the member; the cause is a handler's error

	mu    sync.Mutex               // held while claims change
	holds map[int]*holding         // by partition
	owned atomic.Pointer[[]*claim] // of holds, as they were when they last changed
}

// holding is a partition that the member owns, and the handler that works on it.
type holding struct {
	claim  *claim
	cancel context.CancelFunc
	ended  chan struct{} // closed when the handler has returned
}

// Consume implements stream.Consumer. The group is one of the topic: in Kafka it
// is named after both.
func (l *Log) Consume(ctx context.Context, topic, group string, handle func(context.Context, stream.Claim) error) error {
	if l.partitions[topic] == 0 {
		return fmt.Errorf("consume: there is no topic %q", topic)
	}
	if err := l.enter(&l.consumers); err != nil {
		return fmt.Errorf("consume %s as %s: %w", topic, group, err)
	}
	defer l.consumers.Done()
	m := &member{log: l, topic: topic, group: group, handle: handle, holds: map[int]*holding{}}
	m.ctx, m.end = context.WithCancelCause(ctx)
	defer m.end(nil)
	defer context.AfterFunc(l.ctx, func() { m.end(nil) })()
	l.metrics.joined(m)
	defer l.metrics.left(m)
	if err := m.run(); err != nil {
		return fmt.Errorf("consume %s as %s: %w", topic, group, err)
	}
	return ctx.Err()
}

// name is what Kafka calls the group.
func (m *member) name() string { return m.log.config.Topic(m.topic + "." + m.group) }

// run takes part in the group until the member ends.
func (m *member) run() error {
	group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID:                m.name(),
		Brokers:           m.log.config.Brokers,
		Dialer:            m.log.dialer,
		Topics:            []string{m.log.config.Topic(m.topic)},
		GroupBalancers:    []kafka.GroupBalancer{&m.balancer},
		HeartbeatInterval: heartbeats,
		SessionTimeout:    m.log.config.SessionTimeout,
		RebalanceTimeout:  2 * m.log.config.SessionTimeout, // how long members may take to meet again
		JoinGroupBackoff:  joinBackoff,
		Timeout:           callTimeout,
	})
	if err != nil {
		return err
	}
	var watching sync.WaitGroup
	watching.Go(m.watch)
	without := backoff{} // a generation
	for m.ctx.Err() == nil {
		generation, err := group.Next(m.ctx)
		switch {
		case m.ctx.Err() != nil:
		case err != nil:
			m.log.metrics.groupErrors.WithLabelValues(m.topic, m.group).Inc()
			level := slog.LevelDebug // a coordinator that moves, or is only coming
			if without.alarm() {
				level = slog.LevelError
			}
			m.log.logger.Log(m.ctx, level, "the group cannot be joined: trying on", "topic", m.topic, "group", m.group, "error", err)
			_ = without.wait(m.ctx)
		default:
			without = backoff{}
			m.begin(generation)
		}
	}
	m.mu.Lock()
	for _, h := range m.holds {
		h.cancel()
	}
	for _, h := range m.holds {
		<-h.ended // while the member still counts: what they commit on their way out is taken
	}
	m.mu.Unlock()
	watching.Wait()
	err = group.Close()
	var failed *handlerError
	if errors.As(context.Cause(m.ctx), &failed) {
		return failed.error
	}
	return err
}

// handlerError tells a handler's error from other ends of a context.
type handlerError struct{ error }

// begin takes a generation's partitions: those that the member had go on, others
// start, and what it has no longer ends.
func (m *member) begin(generation *kafka.Generation) {
	m.mu.Lock()
	defer m.mu.Unlock()
	defer m.changed()
	// First of all: from now on the group waits for this member to rest before it
	// meets again, and it cannot rest before this has been done.
	begun := make(chan context.Context, 1)
	generation.Start(func(ctx context.Context) {
		begun <- ctx
		<-ctx.Done()
		m.rest()
	})
	ctx := <-begun
	partitions := m.assigned(generation)
	m.balancer.holds(generation.ID, partitions)
	m.log.metrics.generations.WithLabelValues(m.topic, m.group).Inc()
	places, err := m.places(ctx, partitions)
	if errors.Is(err, errPosition) { // it will not pass: meeting again is of no use to anybody
		m.end(&handlerError{err})
		return
	}
	if err != nil {
		m.log.logger.Warn("the group's positions cannot be read: it meets again", "topic", m.topic, "group", m.group, "error", err)
		generation.Start(func(context.Context) {}) // ends the generation
		return
	}
	m.endOthers(places)
	if ctx.Err() != nil {
		return // it is over already: all rest
	}
	ticket := ticket{generation: int(generation.ID), member: generation.MemberID}
	for partition, place := range places {
		if h := m.holds[partition]; h != nil {
			h.claim.resume(ticket, place.end)
			continue
		}
		m.holds[partition] = m.start(partition, place, ticket)
	}
}

// changed notes what the member holds, for those who do not wait for mu.
func (m *member) changed() {
	claims := make([]*claim, 0, len(m.holds))
	for _, h := range m.holds {
		claims = append(claims, h.claim)
	}
	m.owned.Store(&claims)
}

// claims returns what the member holds, while that changes what it held before.
func (m *member) claims() []*claim {
	if owned := m.owned.Load(); owned != nil {
		return *owned
	}
	return nil
}

// assigned returns the partitions that the generation gives the member, but for
// those that were added to the topic: nobody writes there.
func (m *member) assigned(generation *kafka.Generation) []int {
	var partitions []int
	for _, a := range generation.Assignments[m.log.config.Topic(m.topic)] {
		if a.ID < m.log.partitions[m.topic] {
			partitions = append(partitions, a.ID)
		}
	}
	return partitions
}

// endOthers ends what the member holds and may not go on with: partitions that
// are another's now, or were meanwhile.
func (m *member) endOthers(places map[int]place) {
	var ending []*holding
	for partition, h := range m.holds {
		place, mine := places[partition]
		if mine && h.claim.goesOnFrom(place.position) {
			continue
		}
		delete(m.holds, partition)
		h.cancel()
		ending = append(ending, h)
	}
	for _, h := range ending {
		<-h.ended
	}
	m.log.metrics.claims.WithLabelValues(m.topic, m.group, "kept").Add(float64(len(m.holds)))
	m.log.metrics.claims.WithLabelValues(m.topic, m.group, "taken").Add(float64(len(places) - len(m.holds)))
}

// start runs the handler for a partition.
func (m *member) start(partition int, place place, t ticket) *holding {
	ctx, cancel := context.WithCancel(m.ctx)
	h := &holding{cancel: cancel, ended: make(chan struct{})}
	h.claim = newClaim(m, partition, place, t, cancel)
	go func() {
		defer close(h.ended)
		defer cancel()
		err := fmt.Errorf("partition %d: %w", partition, errExited)
		defer func() {
			if err != nil && ctx.Err() == nil {
				m.end(&handlerError{err})
			}
		}()
		err = m.handle(ctx, h.claim)
		h.claim.returned()
	}()
	return h
}

// errExited is the error of a handler whose goroutine ended without returning.
var errExited = errors.New("the handler did not return")

// rest brings all handlers to rest, so that the group can meet. Those that do
// not come to rest in time lose their claims.
func (m *member) rest() {
	m.mu.Lock()
	defer m.mu.Unlock()
	defer m.changed()
	deadline := time.NewTimer(m.log.config.SessionTimeout / 4)
	defer deadline.Stop()
	late := false
	for _, h := range m.holds {
		h.claim.askToRest()
	}
	for partition, h := range m.holds {
		if late {
			break
		}
		select {
		case <-h.claim.resting():
		case <-h.ended:
		case <-m.ctx.Done():
			return
		case <-deadline.C:
			late = true
			m.log.logger.Info("a handler is at work while the group meets: it loses its claim", "topic", m.topic, "group", m.group, "partition", partition)
		}
	}
	if !late {
		return
	}
	for partition, h := range m.holds {
		select {
		case <-h.claim.resting():
		default:
			h.cancel()
			<-h.ended
			delete(m.holds, partition)
		}
	}
}

// place is where a partition stands.
type place struct {
	position stream.Position
	end      int64
}

// places asks where partitions stand.
func (m *member) places(ctx context.Context, partitions []int) (map[int]place, error) {
	out := make(map[int]place, len(partitions))
	if len(partitions) == 0 {
		return out, nil
	}
	topic := m.log.config.Topic(m.topic)
	bounds, err := m.log.bounds(ctx, m.topic, partitions)
	if err != nil {
		return nil, err
	}
	answer, err := m.log.client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: m.name(), Topics: map[string][]int{topic: partitions}})
	if err == nil {
		err = answer.Error
	}
	if err != nil {
		return nil, err
	}
	for _, p := range answer.Topics[topic] {
		if p.Error != nil {
			return nil, fmt.Errorf("position of partition %d: %w", p.Partition, p.Error)
		}
		b := bounds[p.Partition]
		position := stream.Position{Offset: b.first}
		switch {
		case p.CommittedOffset >= 0:
			if position, err = decodePosition(p.CommittedOffset, p.Metadata); err != nil {
				return nil, fmt.Errorf("position of partition %d: %w", p.Partition, err)
			}
		case b.first > 0: // the brokers forget the positions of groups that are away, too
			m.log.logger.Error("a group has no position where records were removed: it begins with the first that is left, and may have lost others",
				"topic", m.topic, "group", m.group, "partition", p.Partition, "first", b.first)
		}
		out[p.Partition] = place{position: position, end: b.last}
	}
	if len(out) != len(partitions) {
		return nil, fmt.Errorf("positions of %d partitions of %d", len(out), len(partitions))
	}
	return out, nil
}

// bounds of a partition: its first offset and its end.
type bounds struct{ first, last int64 }

func (l *Log) bounds(ctx context.Context, topic string, partitions []int) (map[int]bounds, error) {
	name := l.config.Topic(topic)
	out := make(map[int]bounds, len(partitions))
	var questions []kafka.OffsetRequest
	for _, p := range partitions {
		questions = append(questions, kafka.FirstOffsetOf(p), kafka.LastOffsetOf(p))
	}
	answer, err := l.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{name: questions}})
	if err != nil {
		return nil, err
	}
	for _, p := range answer.Topics[name] {
		if p.Error != nil {
			return nil, fmt.Errorf("bounds of partition %d: %w", p.Partition, p.Error)
		}
		out[p.Partition] = bounds{first: p.FirstOffset, last: p.LastOffset}
	}
	for _, p := range partitions {
		if _, ok := out[p]; !ok {
			return nil, fmt.Errorf("bounds of partition %d: the answer says nothing of it", p)
		}
	}
	return out, nil
}
