package ingest

import (
	"testing"

	"github.com/klaxon-dev/klaxon/internal/topic"
)

// One of several processes writes its name with its senders' in all that it
// writes: events, dead letters and heartbeats.
func TestInstanceNamesSenders(t *testing.T) {
	r := newReceiverTest(t, func(s *receiverSetup) { s.config.Instance = "a-1" })
	r.post(list(event("1"), `{"level":1}`), 200)
	r.must(r.receiver.Heartbeat(t.Context()))
	var names []string
	for _, kind := range []topic.Kind{topic.KindEvent, topic.KindHeartbeat} {
		for _, e := range r.log.events(t, kind) {
			names = append(names, e.Sender)
		}
	}
	letters, _ := r.log.letters(t)
	for _, l := range letters {
		names = append(names, l.Sender)
	}
	if want := 2 + memoryPartitions; len(names) != want {
		t.Errorf("there are %d records, want %d", len(names), want)
	}
	for _, name := range names {
		if name != "a-1/prod" {
			t.Errorf("the sender of a record is %q", name)
		}
	}
}
