package app

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"
)

// How long a start waits for brokers in trouble, and how often it asks.
const (
	openPatience = 30 * time.Second
	openEvery    = time.Second
)

// patiently calls open until it succeeds, or fails for a reason that does not pass
// by itself, or patience ends.
func patiently(ctx context.Context, patience time.Duration, logger *slog.Logger, open func(context.Context) (durableLog, error)) (durableLog, error) {
	deadline := time.Now().Add(patience)
	for attempt := 0; ; attempt++ {
		log, err := open(ctx)
		if err == nil || !passing(err) || time.Now().After(deadline) {
			return log, err
		}
		if attempt == 0 {
			logger.Warn("the brokers do not answer as they should: asking again for a while", "for", patience, "error", err)
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(openEvery):
		}
	}
}

// passing reports whether an error may be gone by itself soon: a broker that dies,
// starts, or hands its partitions over.
func passing(err error) bool {
	var network *net.OpError
	if errors.As(err, &network) && slices.Contains([]string{"dial", "read", "write"}, network.Op) {
		return true
	}
	var broker kafka.Error
	return errors.As(err, &broker) && (broker.Temporary() || broker == kafka.BrokerNotAvailable) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, io.ErrUnexpectedEOF)
}
