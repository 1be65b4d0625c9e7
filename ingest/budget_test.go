package ingest

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func testBudget(perSender, total int64) *budget {
	return newBudget(perSender, total, prometheus.NewGauge(prometheus.GaugeOpts{Name: "held"}))
}

func TestBudgetBounds(t *testing.T) {
	b := testBudget(10, 15)
	f := func(sender string, n int64, want error) {
		t.Helper()
		if err := b.tryTake(sender, n); !errors.Is(err, want) {
			t.Errorf("take %d for %s: got %v, want %v", n, sender, err, want)
		}
	}
	f("a", 10, nil)
	f("a", 1, errSenderFull)
	f("b", 6, errFull)
	f("b", 5, nil)
	b.give("a", 10)
	f("b", 5, nil)
	b.give("b", 10)
	if b.held != 0 || len(b.by) != 0 {
		t.Errorf("after all was given back: held %d, by %v", b.held, b.by)
	}
}

func TestBudgetWaitsForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := testBudget(10, 10)
		if err := b.take(t.Context(), "a", 10); err != nil {
			t.Fatal(err)
		}
		got := make(chan error, 1)
		go func() { got <- b.take(t.Context(), "b", 4) }()
		synctest.Wait()
		b.give("a", 3) // not enough
		synctest.Wait()
		select {
		case err := <-got:
			t.Fatalf("took what was not there: %v", err)
		default:
		}
		b.give("a", 1)
		if err := <-got; err != nil {
			t.Errorf("got %v after room was made", err)
		}
	})
}

func TestBudgetWaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := testBudget(10, 10)
		if err := b.take(t.Context(), "a", 10); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if err := b.take(t.Context(), "b", 1); !errors.Is(err, errFull) {
			t.Errorf("got %v, want errFull", err)
		}
		if waited := time.Since(start); waited != roomWait {
			t.Errorf("waited %v, want %v", waited, roomWait)
		}
		if err := b.take(t.Context(), "a", 1); !errors.Is(err, errSenderFull) {
			t.Errorf("got %v, want errSenderFull", err)
		}
		if waited := time.Since(start); waited != roomWait {
			t.Errorf("a sender that is full itself waited")
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := b.take(ctx, "b", 1); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
	})
}
