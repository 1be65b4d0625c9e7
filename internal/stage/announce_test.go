package stage

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/internal/topic"
)

// However many findings close at one time, few are in memory with what they list.
func TestFindingsAreAnnouncedInPortions(t *testing.T) {
	const keys = 1_000
	log := &memoryLog{rng: rand.New(rand.NewPCG(1, 2))}
	rule := countRule(t).Rules[0]
	start := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	for i := range 2 * keys {
		m := topic.Match{Kind: topic.KindMatch, Sender: "a", Sources: 1, Received: start, Match: detect.Match{
			Rule: rule.ID, Version: rule.Version, Shape: rule.Shape, Cluster: "c", Key: detect.Key{{Name: "actor.name", Value: fmt.Sprint(i % keys)}},
			Event: detect.EventRef{Time: start},
		}}
		binary.BigEndian.PutUint32(m.Match.Event.EventID[:], uint32(i))
		binary.BigEndian.PutUint32(m.Match.Event.RequestID[:], uint32(i))
		log.add(t, &m)
	}
	log.add(t, &topic.Match{Kind: topic.KindProgress, Sender: "a", Sources: 1, Received: start.Add(time.Hour)})
	announced, _ := log.consumed(t, countRule(t))
	closed := 0
	for _, f := range announced {
		if f.State == detect.StateClosed {
			closed++
		}
	}
	if closed != keys || log.portion > announcedAtOnce {
		t.Errorf("%d findings have closed, up to %d at once; want %d, at most %d", closed, log.portion, keys, announcedAtOnce)
	}
}
