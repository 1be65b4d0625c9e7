package streamtest

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/klaxon-dev/klaxon/stream"
)

// appendEach appends records one by one.
func appendEach(ctx context.Context, t *testing.T, p stream.Producer, records []stream.Record) {
	t.Helper()
	for _, r := range records {
		mustAppend(ctx, t, p, events, r)
	}
}

// checkGap reads what retention has removed of partition 0.
func checkGap(ctx context.Context, t *testing.T, c stream.Claim, from, to int64) {
	t.Helper()
	records, err := c.Read(ctx, from, 1<<20)
	var gap *stream.GapError
	if !errors.As(err, &gap) || !errors.Is(err, stream.ErrLost) {
		t.Fatalf("read at %d, which was removed: %d records, %v, want a gap", from, len(records), err)
	}
	if diff := cmp.Diff(&stream.GapError{Topic: events, From: from, To: to}, gap); diff != "" {
		t.Errorf("gap (-want +got):\n%s", diff)
	}
}

// checkRemoved reads on from a position of which retention has removed what is
// before an offset, of ten records: it is named, unless the place keeps it.
func checkRemoved(ctx context.Context, t *testing.T, p Place, c stream.Claim, from, to int) {
	t.Helper()
	if p.Keeps {
		to = from
	} else {
		checkGap(ctx, t, c, int64(from), int64(to))
	}
	checkValues(t, readUntil(ctx, t, c, int64(to), 10, 1<<20), numbered(0, to, 10-to))
}

// testRetentionIsNamed has retention remove what is consumed: who reads it again
// is told what is gone, and goes on after it; a new group begins there.
func testRetentionIsNamed(t *testing.T, factory Factory) {
	ctx := testContext(t)
	place := place(t, factory, 1)
	log := place.Open()
	appendEach(ctx, t, log, numbered(0, 0, 10))
	s := consume(ctx, t, log, events, group)
	c := s.claim(ctx)
	mustCommit(ctx, t, c, stream.Position{Offset: 6, Metadata: "m"})
	place.Remove(log, 0, 6)
	checkGap(ctx, t, c, 2, 6)
	checkValues(t, readUntil(ctx, t, c, 6, 10, 1<<20), numbered(0, 6, 4))
	checkGap(ctx, t, c, 0, 6)
	mustClose(t, log)

	log = place.Open()
	c = consume(ctx, t, log, events, group).claim(ctx)
	checkPosition(t, c, stream.Position{Offset: 6, Metadata: "m"})
	checkGap(ctx, t, c, 5, 6)
	checkPosition(t, consume(ctx, t, log, events, "new").claim(ctx), stream.Position{Offset: 6})
}

// testRetentionBeforeAReader has retention pass a reader that has not consumed:
// each record is read, or named as gone.
func testRetentionBeforeAReader(t *testing.T, factory Factory) {
	ctx := testContext(t)
	place := place(t, factory, 1)
	log := place.Open()
	appendEach(ctx, t, log, numbered(0, 0, 10))
	s := consume(ctx, t, log, events, group)
	c := s.claim(ctx)
	mustCommit(ctx, t, c, stream.Position{Offset: 3})
	next := int64(3 + len(readUntil(ctx, t, c, 3, 4, 1)))
	place.Remove(log, 0, 6)
	for next < 10 { // what a reader has at hand already it may still hand out
		records, err := c.Read(ctx, next, 1)
		var gap *stream.GapError
		switch {
		case errors.As(err, &gap):
			if place.Keeps || gap.From != next || gap.To != 6 {
				t.Fatalf("read at %d: the gap is %d to %d", next, gap.From, gap.To)
			}
			next = gap.To
		case err != nil:
			t.Fatalf("read at %d: %v", next, err)
		default:
			checkValues(t, records, numbered(0, int(next), len(records)))
			next += int64(len(records))
		}
	}
	s.end()
	c = consume(ctx, t, log, events, group).claim(ctx)
	checkPosition(t, c, stream.Position{Offset: 3})
	checkRemoved(ctx, t, place, c, 3, 6)
}

// testRetentionOfReplays has retention pass what a group would read again.
func testRetentionOfReplays(t *testing.T, factory Factory) {
	ctx := testContext(t)
	place := place(t, factory, 1)
	log := place.Open()
	appendEach(ctx, t, log, numbered(0, 0, 10))
	s := consume(ctx, t, log, events, group)
	want := stream.Position{Offset: 8, Replay: 5}
	mustCommit(ctx, t, s.claim(ctx), want)
	place.Remove(log, 0, 8)
	s.end()
	c := consume(ctx, t, log, events, group).claim(ctx)
	checkPosition(t, c, want)
	checkRemoved(ctx, t, place, c, int(want.Horizon()), 8)
}

// testRetentionOfAll has retention leave nothing: offsets go on.
func testRetentionOfAll(t *testing.T, factory Factory) {
	ctx := testContext(t)
	place := place(t, factory, 1)
	log := place.Open()
	appendEach(ctx, t, log, numbered(0, 0, 10))
	c := consume(ctx, t, log, events, group).claim(ctx)
	mustCommit(ctx, t, c, stream.Position{Offset: 10})
	place.Remove(log, 0, 10)
	checkGap(ctx, t, c, 4, 10)
	mustAppend(ctx, t, log, events, numbered(0, 10, 1)...)
	checkValues(t, readUntil(ctx, t, c, 10, 11, 1), numbered(0, 10, 1))
	mustCommit(ctx, t, c, stream.Position{Offset: 11})
	place.Remove(log, 0, 11)
	mustClose(t, log)

	log = place.Open()
	c = consume(ctx, t, log, events, group).claim(ctx)
	checkPosition(t, c, stream.Position{Offset: 11})
	mustAppend(ctx, t, log, events, numbered(0, 11, 1)...)
	checkValues(t, readUntil(ctx, t, c, 11, 12, 1), numbered(0, 11, 1))
}
