package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
)

func TestOpenIsPatient(t *testing.T) {
	reset := fmt.Errorf("look topics up: %w", &net.OpError{Op: "read", Err: syscall.ECONNRESET})
	calls := 0
	log, err := patiently(t.Context(), time.Minute, slog.New(slog.DiscardHandler), func(context.Context) (durableLog, error) {
		if calls++; calls == 1 {
			return nil, reset
		}
		return &fakeLog{}, nil
	})
	if err != nil || log == nil || calls != 2 {
		t.Errorf("after an error that passes: %v, %d calls", err, calls)
	}
	calls = 0
	if _, err = patiently(t.Context(), 0, slog.New(slog.DiscardHandler), func(context.Context) (durableLog, error) {
		calls++
		return nil, reset
	}); !errors.Is(err, syscall.ECONNRESET) || calls != 1 {
		t.Errorf("without patience: %v, %d calls", err, calls)
	}
}

func TestPassing(t *testing.T) {
	for err, want := range map[error]bool{
		&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}:           true,
		&net.OpError{Op: "remote error", Err: errors.New("bad cert")}: false,
		kafka.LeaderNotAvailable:                                      true,
		kafka.BrokerNotAvailable:                                      true,
		kafka.SASLAuthenticationFailed:                                false,
		errors.New("topic klaxon.events has 3 partitions, want 12"):   false,
		context.DeadlineExceeded:                                      true,
	} {
		if got := passing(fmt.Errorf("check: %w", err)); got != want {
			t.Errorf("%v: %v", err, got)
		}
	}
}
