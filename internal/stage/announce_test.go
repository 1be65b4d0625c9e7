package stage

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
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

// Whatever attackers put into what a finding lists: it is announced, and counts all.
func TestFindingThatIsTooLargeListsLess(t *testing.T) {
	f := func(most, wantFindings int) {
		t.Helper()
		log := &memoryLog{rng: rand.New(rand.NewPCG(1, 2)), most: most}
		rule := countRule(t).Rules[0]
		start := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
		for i := range 100 {
			m := topic.Match{Kind: topic.KindMatch, Sender: "a", Sources: 1, Received: start, Match: detect.Match{
				Rule: rule.ID, Version: rule.Version, Shape: rule.Shape, Cluster: "c", Key: detect.Key{{Name: "actor.name", Value: "x"}},
				Event: detect.EventRef{Time: start, User: strings.Repeat("<", 512), Object: strings.Repeat("\x01", 512), UserAgent: strings.Repeat("&", 256)},
			}}
			m.Match.Event.EventID[0], m.Match.Event.RequestID[0] = byte(i), byte(i)
			log.add(t, &m)
		}
		log.add(t, &topic.Match{Kind: topic.KindProgress, Sender: "a", Sources: 1, Received: start.Add(time.Hour)})
		announced, _ := log.consumed(t, countRule(t))
		if len(announced) == 0 != (wantFindings == 0) {
			t.Fatalf("%d findings of at most %d bytes", len(announced), most)
		}
		if wantFindings == 0 {
			return
		}
		last := announced[len(announced)-1]
		if last.State != detect.StateClosed || last.Count != 100 || len(last.Events) == 0 || (len(last.Events) == 100) != (most == 0) {
			t.Errorf("of at most %d bytes: %s, counts %d, lists %d", most, last.State, last.Count, len(last.Events))
		}
	}
	f(0, 1)
	f(100_000, 1)
	f(400, 0) // nothing fits, and nobody stops for it
}
