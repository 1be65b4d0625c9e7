package seldom

import (
	"testing"
	"time"
)

func TestGate(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	g := NewGate[int](func() time.Time { return now })
	f := func(what int, want bool) {
		t.Helper()
		if got := g.Due(what); got != want {
			t.Errorf("%d at %v: %v, want %v", what, now, got, want)
		}
	}
	f(1, true)
	f(1, false)
	f(2, true)
	now = now.Add(every)
	f(1, true)
	for i := range 2 * most {
		g.Due(100 + i)
	}
	if len(g.said) > most {
		t.Errorf("%d things are remembered", len(g.said))
	}
	f(1_000_000, false)
	now = now.Add(every)
	f(1_000_000, true)
}
