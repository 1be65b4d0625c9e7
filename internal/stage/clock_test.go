package stage

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/stream"
)

func TestClock(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	c := clock{}
	f := func(sender string, source int, minute int, want int) {
		t.Helper()
		at := start.Add(time.Duration(minute) * time.Minute)
		got := c.heard(&topic.Match{Source: source, Sources: 2, Received: at, Times: map[string]time.Time{sender: at}})
		var expect time.Time
		if want >= 0 {
			expect = start.Add(time.Duration(want)*time.Minute - detect.Lateness)
		}
		if !got.Equal(expect) {
			t.Errorf("%s/%d at %d: %v, want %v", sender, source, minute, got, expect)
		}
	}
	f("a", 0, 10, -1) // the other partition was not heard of
	f("a", 1, 5, 5)
	f("a", 0, 90, 5) // a partition that lags by far is not silent
	f("a", 1, 90, 90)
	f("b", 0, 91, -1)
	f("b", 1, 91, 90)
	f("a", 0, 92, 90)
	f("a", 1, 92, 91)
	f("b", 0, 89, 91) // time does not go back
	f("a", 0, 99, 92) // b is gone, in both partitions
	f("a", 1, 98, 98)
	f("b", 0, 99, -1) // and comes back
	f("b", 1, 99, 98)
}

func TestClockNoteRoundTrip(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 123456789, time.UTC)
	want := tick{offset: 7, clock: clock{
		"a":       {at, at.Add(time.Hour), {}},
		"b\x00\"": {at.Add(-time.Nanosecond)},
		"silent":  {{}, {}},
	}}
	f := func(want tick) {
		t.Helper()
		text, err := json.Marshal(newClockNote(want))
		if err != nil {
			t.Fatal(err)
		}
		var n clockNote
		if err := json.Unmarshal(text, &n); err != nil {
			t.Fatal(err)
		}
		got, err := n.tick()
		if diff := gocmp.Diff(want, got, gocmp.AllowUnexported(tick{})); diff != "" || err != nil {
			t.Error(err, diff)
		}
	}
	f(want)
	f(tick{clock: clock{}})
	if _, err := (&clockNote{Senders: map[string][]byte{"a": {0x80}}}).tick(); !errors.Is(err, errClockNote) {
		t.Errorf("half a number: %v", err)
	}
}

// Metadata are bounded: of many senders those are noted that hold time up.
func TestClockNoteIsBounded(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	c := clock{}
	for i := range 1000 {
		c[fmt.Sprintf("sender-%03d", i)] = slices.Repeat([]time.Time{start.Add(time.Duration(i) * time.Second)}, 12)
	}
	n := newClockNote(tick{offset: 1 << 40, clock: c})
	text, err := json.Marshal(note{Horizon: &detect.Point{Offset: 1 << 40, Watermark: start.Add(time.Nanosecond)}, Clock: n})
	if err != nil {
		t.Fatal(err)
	}
	if len(text) > stream.MaxMetadataBytes || len(n.Senders) < 20 || n.Senders["sender-000"] == nil || n.Senders["sender-999"] != nil {
		t.Errorf("%d bytes, %d senders", len(text), len(n.Senders))
	}
}

func TestTicks(t *testing.T) {
	ts := ticks{{offset: 100}}
	for next := int64(100); next <= 1_000_000; next += 100 {
		ts = ts.add(next, clock{})
	}
	if len(ts) > 500 {
		t.Errorf("%d ticks", len(ts))
	}
	for i := range ts[1:] {
		if apart := ts[i+1].offset - ts[i].offset; apart < tickStep {
			t.Errorf("%d apart", apart)
		}
	}
	f := func(offset int64) {
		t.Helper()
		left := slices.Clone(ts).since(offset)
		if left[0].offset > offset || len(left) > 1 && left[1].offset <= offset {
			t.Errorf("from %d on: the first is at %d", offset, left[0].offset)
		}
	}
	for _, offset := range []int64{100, 101, 5000, ts[7].offset, 999_999, 2_000_000} {
		f(offset)
	}
}
