package kafka

import (
	"context"
	"time"
)

// Times of the watch over progress.
const (
	watchEvery   = 15 * time.Second
	stalledAfter = 2 * time.Minute
)

// watch keeps the ends of the member's partitions known while their handlers do
// not read, and says when one makes no progress although there is work.
func (m *member) watch() {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	stalled := map[int]bool{}
	for {
		select {
		case <-m.ctx.Done():
			return
		case <-ticker.C:
		}
		claims := m.claims()
		m.refresh(claims)
		now := time.Now()
		for _, c := range claims {
			was, is := stalled[c.partition], c.stalled(now)
			stalled[c.partition] = is
			switch {
			case is && !was:
				m.log.logger.Error("a partition has work and its handler makes no progress", "topic", m.topic, "group", m.group,
					"partition", c.partition, "lag", c.lag(), "for", now.Sub(c.lastProgress()).Round(time.Second))
			case was && !is:
				m.log.logger.Info("a partition makes progress again", "topic", m.topic, "group", m.group, "partition", c.partition)
			}
		}
	}
}

// refresh asks for the ends of partitions.
func (m *member) refresh(claims []*claim) {
	if len(claims) == 0 {
		return
	}
	partitions := make([]int, len(claims))
	for i, c := range claims {
		partitions[i] = c.partition
	}
	ctx, cancel := context.WithTimeout(m.ctx, callTimeout)
	defer cancel()
	all, err := m.log.bounds(ctx, m.topic, partitions)
	if err != nil {
		return // reading says what is wrong
	}
	for _, c := range claims {
		c.sawEnd(all[c.partition].last)
	}
}

// lag returns how many records the group has not consumed.
func (c *claim) lag() int64 {
	next := c.Position().Offset
	if v := c.void.Load(); v != nil && v.from == next {
		next = v.to
	}
	return max(0, c.End()-next)
}

func (c *claim) moved() { c.progress.Store(time.Now().UnixNano()) }

func (c *claim) lastProgress() time.Time { return time.Unix(0, c.progress.Load()) }

func (c *claim) stalled(now time.Time) bool {
	return c.lag() > 0 && now.Sub(c.lastProgress()) > stalledAfter
}

// behind returns how long ago the oldest record that is not consumed was taken,
// as far as the handler has read: 0 where all is consumed, at least the time
// since the last record that was.
func (c *claim) behind(now time.Time) time.Duration {
	taken := c.newest.Load()
	if c.lag() == 0 || taken == 0 {
		return 0
	}
	return max(0, now.Sub(time.Unix(0, taken)))
}
