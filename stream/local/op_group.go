package local

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/klaxon-dev/klaxon/stream"
)

// joinOp makes member the owner of a group's partitions and a new group known.
// Since the committer goes by order, it comes after all commits of the owner
// before.
type joinOp struct {
	log    *Log
	topic  *topic
	group  *group
	member *member // nil: only makes the group known
}

func (o *joinOp) stage(b *pebble.Batch) error {
	t, g := o.topic, o.group
	t.mu.Lock()
	defer t.mu.Unlock()
	if g.registered {
		return nil
	}
	if err := o.log.space.forPositions(); err != nil {
		return err
	}
	for i, p := range t.partitions {
		if err := setPosition(b, t, g, i, stream.Position{Offset: p.cut.offset}); err != nil {
			return err
		}
	}
	// From now on, not only from publish: a removal in the same batch sees it.
	for i, p := range t.partitions {
		g.positions[i] = stream.Position{Offset: p.cut.offset}
	}
	g.registered = true
	return nil
}

func (o *joinOp) publish() { o.topic.setOwner(o.group, o.member) }

// dropOp forgets a group that nobody consumes as.
type dropOp struct {
	topic *topic
	group *group
}

func (o *dropOp) stage(b *pebble.Batch) error {
	prefix := groupKey(o.topic.name, o.group.name)
	if err := b.DeleteRange(prefix, after(prefix), nil); err != nil {
		return fmt.Errorf("stage drop: %w", err)
	}
	return nil
}

func (o *dropOp) publish() {
	o.topic.mu.Lock()
	defer o.topic.mu.Unlock()
	o.group.registered = false
	clear(o.group.positions)
}
