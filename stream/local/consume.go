package local

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/klaxon-dev/klaxon/stream"
)

// Consume implements stream.Consumer. One member of a group owns all partitions
// of the topic; further ones wait as stand-bys until it returns. A group that
// has consumed once holds records back from retention for good: see DropGroup.
// When ctx ends it returns nil. It may not be called by a handler of the same
// topic and group.
func (l *Log) Consume(ctx context.Context, topicName, groupName string, handle func(context.Context, stream.Claim) error) error {
	t := l.topics[topicName]
	if t == nil || !validName.MatchString(groupName) {
		return fmt.Errorf("consume: there is no topic %q, or %q is no name of a group", topicName, groupName)
	}
	ctx, cancel, err := l.enterConsumer(ctx)
	if err != nil {
		return fmt.Errorf("consume %s as %s: %w", topicName, groupName, err)
	}
	defer cancel()
	g := t.group(groupName)
	select {
	case g.slot <- struct{}{}:
		defer func() { <-g.slot }()
	case <-ctx.Done():
		return l.stopped()
	}
	m := &member{}
	defer t.setOwner(g, nil)
	if err := l.submit(ctx, &joinOp{log: l, topic: t, group: g, member: m}, func() {}); err != nil {
		if ctx.Err() != nil {
			return l.stopped()
		}
		return fmt.Errorf("consume %s as %s: %w", topicName, groupName, err)
	}
	if err := l.handleAll(ctx, t, g, m, handle); err != nil {
		return err
	}
	return l.stopped()
}

// handleAll runs handle for every partition until ctx ends or one fails.
func (l *Log) handleAll(ctx context.Context, t *topic, g *group, m *member, handle func(context.Context, stream.Claim) error) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var handlers sync.WaitGroup
	for _, p := range t.partitions {
		c := &claim{log: l, partition: p, group: g, member: m, ended: ctx.Done()}
		handlers.Go(func() {
			err := fmt.Errorf("%s/%d: %w", t.name, p.index, errExited)
			defer func() {
				if err != nil && ctx.Err() == nil {
					fail(&handlerError{err})
				}
			}()
			err = handle(ctx, c)
		})
	}
	<-ctx.Done()
	handlers.Wait()
	var failed *handlerError
	if errors.As(context.Cause(ctx), &failed) {
		return failed.error
	}
	return nil
}

// handlerError tells a handler's error from other ends of a context.
type handlerError struct{ error }

// errExited is the error of a handler whose goroutine ended without returning.
var errExited = errors.New("the handler did not return")

// DropGroup forgets a group that consumes no longer, so that it holds no records
// back. A group with a member is an error; an unknown one is none.
func (l *Log) DropGroup(ctx context.Context, topicName, groupName string) error {
	t := l.topics[topicName]
	if t == nil {
		return fmt.Errorf("drop group: there is no topic %q", topicName)
	}
	if err := l.enter(); err != nil {
		return fmt.Errorf("drop group %s of %s: %w", groupName, topicName, err)
	}
	defer l.calls.Done()
	g := t.group(groupName)
	select {
	case g.slot <- struct{}{}:
		defer func() { <-g.slot }()
	default:
		return fmt.Errorf("drop group %s of %s: it is consuming", groupName, topicName)
	}
	if err := l.submit(ctx, &dropOp{topic: t, group: g}, func() {}); err != nil {
		return fmt.Errorf("drop group %s of %s: %w", groupName, topicName, err)
	}
	return nil
}
