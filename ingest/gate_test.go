package ingest

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(1)
		leave, err := g.enter(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		other, err := g.enter(t.Context(), "b")
		if err != nil {
			t.Fatalf("another sender waits for the first: %v", err)
		}
		other()

		start := time.Now()
		if _, err := g.enter(t.Context(), "a"); !errors.Is(err, errBusy) || time.Since(start) != slotWait {
			t.Errorf("got %v after %v, want errBusy after %v", err, time.Since(start), slotWait)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := g.enter(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the context's error", err)
		}

		entered := make(chan error)
		go func() {
			_, err := g.enter(t.Context(), "a")
			entered <- err
		}()
		synctest.Wait()
		start = time.Now()
		if _, err := g.enter(t.Context(), "a"); !errors.Is(err, errBusy) || time.Since(start) != 0 {
			t.Errorf("got %v after %v, want errBusy at once: another waits", err, time.Since(start))
		}
		leave()
		if err := <-entered; err != nil {
			t.Errorf("got %v after the slot was left", err)
		}
	})
}

func TestGateOfLargeEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(8)
		leave, err := g.enterLarge(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := g.enterLarge(t.Context(), "b"); err != nil {
			t.Fatalf("another sender waits for the first: %v", err)
		}
		start := time.Now()
		if _, err := g.enterLarge(t.Context(), "a"); !errors.Is(err, errBusy) || time.Since(start) != slotWait {
			t.Errorf("got %v after %v, want errBusy after %v", err, time.Since(start), slotWait)
		}
		leave()
		if _, err := g.enterLarge(t.Context(), "a"); err != nil {
			t.Errorf("got %v after the slot was left", err)
		}
	})
}
