package local

import (
	"fmt"
	"time"
)

// Backlog is what a group has not consumed of a topic.
type Backlog struct {
	Records int64
	Bytes   int64     // compressed; blocks of which it has consumed a part count whole
	Oldest  time.Time // when the log took the oldest of the records, zero if there is none
}

// Lag returns how many records of a topic a group has not consumed. It asks
// memory alone.
func (l *Log) Lag(topicName, groupName string) (records int64) {
	t := l.topics[topicName]
	if t == nil {
		return 0
	}
	g := t.group(groupName)
	for _, p := range t.partitions {
		first, end := p.bounds()
		records += end.offset - max(first.offset, t.position(g, p.index).Offset)
	}
	return records
}

// Backlog returns what a group has not consumed of a topic. It looks into every
// partition that the group is behind in.
func (l *Log) Backlog(topicName, groupName string) (Backlog, error) {
	var sum Backlog
	t := l.topics[topicName]
	if t == nil {
		return sum, fmt.Errorf("backlog: there is no topic %q", topicName)
	}
	if err := l.enter(); err != nil { // Close waits for those that read
		return sum, fmt.Errorf("backlog of %s: %w", topicName, err)
	}
	defer l.calls.Done()
	g := t.group(groupName)
	for _, p := range t.partitions {
		if err := sum.add(l.engine, p, t.position(g, p.index).Offset); err != nil {
			return sum, fmt.Errorf("backlog of %s: %w", topicName, err)
		}
	}
	return sum, nil
}

// add adds what a partition holds from the offset on.
func (s *Backlog) add(e *engine, p *partition, from int64) error {
	first, end := p.bounds()
	if from = max(from, first.offset); from >= end.offset {
		return nil
	}
	b, err := e.blocks(p, end.offset)
	if err != nil {
		return err
	}
	defer func() { _ = b.close() }() // it only read
	at, ok, err := b.holding(from)
	if err != nil || !ok {
		return err
	}
	s.Records += end.offset - from
	s.Bytes += int64(end.total - at.start.total)
	if taken := time.Unix(0, at.time).UTC(); s.Oldest.IsZero() || taken.Before(s.Oldest) {
		s.Oldest = taken
	}
	return nil
}
