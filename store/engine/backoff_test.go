package engine

import (
	"testing"
	"time"
)

func TestBackoffGrowsAndRecovers(t *testing.T) {
	var b backoff
	for _, want := range []time.Duration{100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000} {
		if got := b.next(steady - 1); got != want*time.Millisecond {
			t.Errorf("wait %v, want %v", got, want*time.Millisecond)
		}
	}
	if got := b.next(steady); got != minBackoff {
		t.Errorf("wait %v after a steady run, want %v", got, minBackoff)
	}
}
