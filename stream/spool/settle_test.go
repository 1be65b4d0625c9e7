package spool

import (
	"context"
	"testing"
	"time"
)

// Nobody appends while it is decided that all is drained.
func TestSettleIsAlone(t *testing.T) {
	l := newLab(t)
	soon := func() context.Context {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		t.Cleanup(cancel)
		return ctx
	}
	l.begin()
	if l.spool.settle(soon()) {
		t.Fatal("it is settled while records wait")
	}
	// An Append that has found it spooling, and is not durable yet.
	if err := l.spool.gate.Acquire(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	l.brokers.are(false)
	waitFor(t, "what is durable is drained", func() bool { return l.spool.lag() == 0 })
	if l.spool.settle(soon()) {
		t.Error("it is settled while an Append is under way")
	}
	l.spool.gate.Release(1)
	l.direct()
}

// Who appends while it is settled waits, no longer than its context lasts.
func TestAppendsAreHeld(t *testing.T) {
	l := newLab(t)
	l.begin()
	if err := l.spool.gate.Acquire(t.Context(), everyone); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := l.spool.Append(ctx, "events", l.records("held")); err != context.DeadlineExceeded {
		t.Errorf("an Append while it is settled: %v", err)
	}
	l.spool.gate.Release(everyone)
	l.taken("then")
}
