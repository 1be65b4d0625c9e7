package ingest

import (
	"testing"
	"time"
)

func TestHorizonWaitsForRequestsInProgress(t *testing.T) {
	c := newClock()
	p := newProgress(c.now)
	f := func(name, sender string, want time.Time) {
		t.Helper()
		if got := p.horizon(sender); !got.Equal(want) {
			t.Errorf("%s: horizon of %s is %v, want %v", name, sender, got, want)
		}
	}
	f("idle", "a", c.now())
	first, endFirst := p.begin("a")
	c.advance(time.Second)
	second, endSecond := p.begin("a")
	c.advance(time.Second)
	f("two in progress", "a", first)
	f("another sender", "b", c.now())
	endFirst()
	f("the older has ended", "a", second)
	endSecond()
	f("both have ended", "a", c.now())
}

func TestReceivedNeverGoesBack(t *testing.T) {
	c := newClock()
	p := newProgress(c.now)
	before := p.horizon("a")
	c.advance(-time.Hour)
	received, end := p.begin("a")
	end()
	if received.Before(before) {
		t.Errorf("received %v, before the horizon %v that was told", received, before)
	}
}

func TestReceivedIsOfTheWallClock(t *testing.T) {
	// With a monotonic reading, a clock that is set back would look as if it went on.
	received, end := newProgress(time.Now).begin("a")
	end()
	if received != received.Round(0) {
		t.Errorf("%v carries a monotonic reading", received)
	}
}
