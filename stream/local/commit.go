package local

import (
	"context"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// Bounds of one commit.
const (
	commitOps   = 512
	commitBytes = 16 << 20
	queuedOps   = 1024
)

// op is one change of the log. The committer alone calls its methods, ops in
// the order in which they came.
type op interface {
	// stage adds the change to the batch. On an error it adds nothing, and the
	// op alone is refused.
	stage(b *pebble.Batch) error
	// publish makes the change visible, once it is durable.
	publish()
}

// request is an op on its way.
type request struct {
	op   op
	done chan error // capacity 1
}

// submit hands o to the committer and waits until it is durable. When ctx ends
// first, o may become durable all the same; then, as always, settled is called
// once the committer is done with it.
func (l *Log) submit(ctx context.Context, o op, settled func()) error {
	r := &request{op: o, done: make(chan error, 1)}
	select {
	case l.requests <- r:
	case <-ctx.Done():
		settled()
		return ctx.Err()
	}
	select {
	case err := <-r.done:
		settled()
		return err
	case <-ctx.Done():
		l.calls.Go(func() { _ = <-r.done; settled() })
		return ctx.Err()
	}
}

// commitAll is the committer. It ends when no more requests can come.
func (l *Log) commitAll() {
	batch := make([]*request, 0, commitOps)
	for r := range l.requests {
		batch = l.gather(append(batch[:0], r))
		l.commit(batch)
	}
}

// gather adds the requests that wait already.
func (l *Log) gather(batch []*request) []*request {
	for len(batch) < commitOps {
		select {
		case r, open := <-l.requests:
			if !open {
				return batch
			}
			batch = append(batch, r)
		default:
			return batch
		}
	}
	return batch
}

// commit makes requests durable and answers them.
func (l *Log) commit(requests []*request) {
	l.space.measure()
	for len(requests) > 0 {
		requests = l.commitSome(requests)
	}
}

// commitSome commits as many requests as one batch takes and returns the rest.
func (l *Log) commitSome(requests []*request) (rest []*request) {
	b := l.engine.db.NewBatch()
	staged := make([]*request, 0, len(requests))
	for len(requests) > 0 && b.Len() < commitBytes {
		r := requests[0]
		requests = requests[1:]
		if err := l.stage(r.op, b); err != nil {
			r.done <- err
			continue
		}
		staged = append(staged, r)
	}
	err := l.engine.apply(b)
	for _, c := range l.cuts {
		if err == nil {
			c.publish()
		}
	}
	l.cuts = l.cuts[:0]
	for _, r := range staged {
		if err == nil {
			r.op.publish()
		}
		r.done <- err
	}
	if err == nil { // a failed store may still hold it
		_ = b.Close()
	}
	return requests
}

func (l *Log) stage(o op, b *pebble.Batch) error {
	if err := l.engine.failure(); err != nil {
		return err
	}
	return o.stage(b)
}

// unavailable is an answer of the committer that counts as a refusal.
type unavailable struct {
	reason string // a label: full, disk_full, failed, closed
	err    error
}

func (e *unavailable) Error() string { return e.err.Error() }
func (e *unavailable) Unwrap() error { return e.err }

// refuse makes an unavailable. The format ends in %w of stream.ErrUnavailable.
func refuse(reason, format string, args ...any) error {
	return &unavailable{reason: reason, err: fmt.Errorf(format, args...)}
}

// Reasons of refusals.
const (
	reasonFull     = "full"      // a topic's bound, of records that a group has not consumed
	reasonDiskFull = "disk_full" // too little of the disk is free
	reasonFailed   = "failed"    // the disk failed
	reasonClosed   = "closed"    // the log was closed
)
