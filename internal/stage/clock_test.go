package stage

import (
	"testing"
	"time"

	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/internal/topic"
)

func TestClock(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	c := clock{}
	f := func(sender string, source int, minute int, want int) {
		t.Helper()
		got := c.heard(&topic.Match{Sender: sender, Source: source, Sources: 2, Received: start.Add(time.Duration(minute) * time.Minute)})
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
