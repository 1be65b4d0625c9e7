package stage

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/rules"
	"github.com/klaxon-dev/klaxon/stream"
)

const (
	// segmentRecords is how many records of a partition are counted together. A
	// start counts those of its segment again, so that what it says then contains
	// what was said before.
	segmentRecords = 1 << 16
	// blindStep is how far received time comes before counts that have changed are
	// said again.
	blindStep = 10 * time.Second
	// maxBlindHours is how many counts of one segment may have the hours of their
	// events; others have the hour of receipt. So what is counted is bounded by
	// clusters, rules and resources.
	maxBlindHours = 8192
	// maxBlindCounts is how many counts one segment may have: what strangers make up
	// beyond it is counted without its cluster and resource.
	maxBlindCounts = 4 * maxBlindHours
	// maxBlindAge is how long before its receipt an event is counted in its hour.
	maxBlindAge = 365 * 24 * time.Hour
)

// sight is what could not be seen.
type sight struct {
	cluster  audit.ClusterID
	hour     int64 // from 1970 on
	rule     rules.RuleID
	resource string
	needs    audit.Gap
}

// blindCounts counts evaluations that were blind, by segments of a partition of
// Events: a function of the records and the rules, wherever batches end.
type blindCounts struct {
	source  int
	segment int64
	since   int64 // offset of the first record with a count; -1: there is none
	counts  map[sight]int64
	changed map[sight]struct{} // since they were said
	newest  time.Time          // received time
	said    time.Time          // the newest received time then
}

func newBlindCounts(source int) *blindCounts {
	return &blindCounts{source: source, since: -1, counts: map[sight]int64{}, changed: map[sight]struct{}{}}
}

// enter begins with the record at an offset. At the end of a segment it returns
// what is to be said of it.
func (b *blindCounts) enter(offset int64) (said []topic.Blindness) {
	segment := offset / segmentRecords
	if segment == b.segment {
		return nil
	}
	said = b.say(offset)
	b.segment, b.since = segment, -1
	clear(b.counts)
	return said
}

// add counts an evaluation of the event at an offset.
func (b *blindCounts) add(offset int64, cluster audit.ClusterID, rule rules.RuleID, e *audit.Event, received time.Time) {
	s := sight{cluster: cluster, hour: hour(e.StageTime), rule: rule, resource: e.KnownResource(), needs: e.Gap()}
	odd := e.StageTime.After(received) || e.StageTime.Before(received.Add(-maxBlindAge))
	if _, known := b.counts[s]; odd || !known && len(b.counts) >= maxBlindHours {
		s.hour = hour(received)
	}
	if _, known := b.counts[s]; !known && len(b.counts) >= maxBlindCounts {
		s.cluster, s.resource = "", ""
	}
	b.counts[s]++
	b.changed[s] = struct{}{}
	if b.since < 0 {
		b.since = offset
	}
}

func hour(t time.Time) int64 { return t.Unix() / int64(time.Hour/time.Second) }

// due reports whether it is time to say what has changed.
func (b *blindCounts) due() bool {
	return len(b.changed) > 0 && b.newest.Sub(b.said) >= blindStep
}

// say returns the counts that have changed among the records before an offset.
func (b *blindCounts) say(until int64) []topic.Blindness {
	said := make([]topic.Blindness, 0, len(b.changed))
	for _, s := range slices.SortedFunc(maps.Keys(b.changed), compareSights) {
		said = append(said, topic.Blindness{
			Cluster: s.cluster, Hour: time.Unix(s.hour*int64(time.Hour/time.Second), 0).UTC(), Rule: s.rule, Resource: s.resource, Needs: s.needs,
			Source: b.source, Segment: b.segment, Until: until, Evaluations: b.counts[s],
		})
	}
	clear(b.changed)
	b.said = b.newest
	return said
}

func compareSights(a, b sight) int {
	return cmp.Or(cmp.Compare(a.cluster, b.cluster), cmp.Compare(a.hour, b.hour), cmp.Compare(a.rule, b.rule),
		cmp.Compare(a.resource, b.resource), cmp.Compare(a.needs, b.needs))
}

// position returns the position of a partition whose records before next are
// done: those that the counts need are read again at the next start.
func (b *blindCounts) position(next int64) stream.Position {
	p := stream.Position{Offset: next}
	if b.since >= 0 {
		p.Replay = next - b.since
	}
	return p
}
