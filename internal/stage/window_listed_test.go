package stage

import (
	"context"
	"testing"
	"time"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/stream"
)

// readClaim holds records from an offset on, and counts how often it is read.
type readClaim struct {
	stream.Claim
	first   int64
	records []stream.Record
	reads   int
}

func (c *readClaim) Read(_ context.Context, from int64, maxBytes int) ([]stream.Record, error) {
	c.reads++
	if from < c.first {
		return nil, &stream.GapError{From: from, To: c.first}
	}
	n, size := from-c.first, 0
	end := n
	for ; end < int64(len(c.records)) && size < maxBytes; end++ {
		size += len(c.records[end].Value)
	}
	return c.records[n:end], nil
}

// What findings list is read back in order, not record by record; what the log
// has lost of it is left out.
func TestListedIsReadInOrder(t *testing.T) {
	const first, many = 100, 20_000
	claim := &readClaim{first: first}
	for i := range int64(many) {
		m := topic.Match{Kind: topic.KindMatch, Sources: 1, Received: time.Unix(i, 0)}
		m.Match.Rule, m.Match.Event.EventID = "r", audit.EventID{byte(i), byte(i >> 8), byte(i >> 16)}
		record, err := m.Record(1)
		if err != nil {
			t.Fatal(err)
		}
		record.Offset = first + i
		claim.records = append(claim.records, record)
	}
	r := windowRun{claim: claim, recent: map[int64]*detect.Match{first + 7: {}}}
	var said []detect.Draft
	want := map[int64]bool{}
	for i := range int64(100) {
		d := detect.Draft{}
		for _, offset := range []int64{first - 10, first + 7, first + 2000 - i*3, first + 5000 + i, first + many - 1 - i*2} {
			d.Refs = append(d.Refs, detect.Ref{Offset: offset})
			want[offset] = offset >= first && offset != first+7
		}
		said = append(said, d)
	}
	found, err := r.listed(t.Context(), said)
	if err != nil {
		t.Fatal(err)
	}
	for offset, wanted := range want {
		m := found[offset]
		if (m != nil) != wanted {
			t.Fatalf("%d was found: %v, want %v", offset, m != nil, wanted)
		}
		if i := offset - first; wanted && m.Event.EventID != (audit.EventID{byte(i), byte(i >> 8), byte(i >> 16)}) {
			t.Fatalf("%d is another match", offset)
		}
	}
	if claim.reads > 20 {
		t.Errorf("%d reads", claim.reads)
	}
}
