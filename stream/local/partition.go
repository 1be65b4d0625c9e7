package local

import (
	"context"
	"sync"
)

// mark is a place between two blocks of a partition.
type mark struct {
	offset int64  // of the block that follows
	total  uint64 // bytes of all blocks before it, since the partition's first
}

// partition is the state of one partition.
type partition struct {
	topic   *topic
	index   int
	records []byte // prefix of its blocks' keys

	// The committer's own: the state with what is being committed.
	next     mark
	lastTime int64 // unix nanoseconds; the clock may step back, times do not
	cut      mark  // what lies before was removed

	mu    sync.Mutex
	first mark // what lies before was removed
	end   mark // what lies before is durable; readers go no further
	// oldest is when the first record was taken, unix nanoseconds; 0: not known.
	oldest  int64
	changed chan struct{} // closed when end moves; nil: nobody waits
}

// bounds returns the marks before and after what the partition holds.
func (p *partition) bounds() (first, end mark) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.first, p.end
}

// wait returns when there is a durable record at the offset.
func (p *partition) wait(ctx context.Context, ended <-chan struct{}, offset int64) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		p.mu.Lock()
		if offset < p.end.offset {
			p.mu.Unlock()
			return nil
		}
		if p.changed == nil {
			p.changed = make(chan struct{})
		}
		changed := p.changed
		p.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-ended:
			return context.Canceled
		}
	}
}

// advance makes what was committed visible, and wakes those who wait.
func (p *partition) advance(end mark, firstTime int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.first.offset == p.end.offset {
		p.oldest = firstTime
	}
	p.end = end
	if p.changed != nil {
		close(p.changed)
		p.changed = nil
	}
}

// removed notes that what lies before first is gone, and when the record at
// first was taken.
func (p *partition) removed(first mark, oldest int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.first, p.oldest = first, oldest
}

// oldestTime returns when the first record was taken, unix nanoseconds; 0 if
// there is none or it is not known.
func (p *partition) oldestTime() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.oldest
}

// held returns the bytes that the partition holds as the committer sees it.
func (p *partition) held() int64 { return int64(p.next.total - p.cut.total) }
