package local

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/klaxon-dev/klaxon/stream"
)

// topic is the state of one topic.
type topic struct {
	name       string
	retention  time.Duration
	limit      int64 // bytes of one partition
	partitions []*partition

	refusing string // why the last Append was refused, "" if it was not; the committer's own

	mu     sync.Mutex
	groups map[string]*group
}

// group is the state of one group of consumers of a topic.
type group struct {
	name string
	slot chan struct{} // holds a token while a member owns the partitions

	// mu of the topic covers these.
	registered bool              // retention waits for it
	owner      *member           // who may commit; nil: nobody
	positions  []stream.Position // durable, one a partition
}

// member is one call of Consume.
type member struct{ _ byte } // not of size zero: members are told apart by address

func newTopic(name string, partitions int, retention time.Duration, maxBytes int64) *topic {
	t := &topic{
		name:      name,
		retention: retention,
		limit:     maxBytes / int64(partitions),
		groups:    make(map[string]*group),
	}
	for i := range partitions {
		t.partitions = append(t.partitions, &partition{topic: t, index: i, records: recordsKey(name, i)})
	}
	return t
}

// group returns the state of a group, made when it is not known.
func (t *topic) group(name string) *group {
	t.mu.Lock()
	defer t.mu.Unlock()
	g := t.groups[name]
	if g == nil {
		g = &group{
			name:      name,
			slot:      make(chan struct{}, 1),
			positions: make([]stream.Position, len(t.partitions)),
		}
		t.groups[name] = g
	}
	return g
}

// position returns the position of a group.
func (t *topic) position(g *group, partition int) stream.Position {
	t.mu.Lock()
	defer t.mu.Unlock()
	return g.positions[partition]
}

// owns reports whether m is the group's owner.
func (t *topic) owns(g *group, m *member) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return g.owner == m
}

// setOwner makes m the group's owner; nil: nobody.
func (t *topic) setOwner(g *group, m *member) {
	t.mu.Lock()
	defer t.mu.Unlock()
	g.owner = m
}

// consumed returns the offset before which every registered group has consumed
// the partition, and the one before which none reads it again; end if there is
// no group.
func (t *topic) consumed(partition int, end int64) (consumed, horizon int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	consumed, horizon = end, end
	for _, g := range t.groups {
		if g.registered {
			consumed = min(consumed, g.positions[partition].Offset)
			horizon = min(horizon, g.positions[partition].Horizon())
		}
	}
	return consumed, horizon
}

// held returns the bytes that the topic holds and when its oldest record was
// taken, unix nanoseconds; 0 if there is none.
func (t *topic) held() (bytes, oldest int64) {
	for _, p := range t.partitions {
		first, end := p.bounds()
		bytes += int64(end.total - first.total)
		if at := p.oldestTime(); at != 0 && (oldest == 0 || at < oldest) {
			oldest = at
		}
	}
	return bytes, oldest
}

// lag is how many records of a topic a group has not consumed.
type lag struct {
	group   string
	records int64
}

// lags returns the lag of every registered group, by name.
func (t *topic) lags() []lag {
	t.mu.Lock()
	defer t.mu.Unlock()
	var lags []lag
	for _, g := range t.groups {
		if !g.registered {
			continue
		}
		l := lag{group: g.name}
		for i, p := range t.partitions {
			_, end := p.bounds()
			l.records += max(0, end.offset-g.positions[i].Offset)
		}
		lags = append(lags, l)
	}
	slices.SortFunc(lags, func(a, b lag) int { return cmp.Compare(a.group, b.group) })
	return lags
}
