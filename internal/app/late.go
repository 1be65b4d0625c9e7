package app

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/klaxon-dev/klaxon/internal/seldom"
	"github.com/klaxon-dev/klaxon/stream"
)

// lateEvery is how long a log that could not be opened is left alone.
const lateEvery = time.Second

// lateLog is a log whose brokers were away when the process started. Until they
// answer it takes no records, and nobody consumes.
type lateLog struct {
	partitions map[string]int // by the configuration
	opened     chan struct{}  // closed after log was set
	log        durableLog

	mu    sync.Mutex
	cause error // why it is not opened

	ctx  context.Context // ends with Close
	stop context.CancelFunc
	work sync.WaitGroup
}

var _ durableLog = (*lateLog)(nil)

// openLate has open tried until it succeeds, after it failed with cause.
func openLate(open func(context.Context) (durableLog, error), partitions map[string]int, cause error, logger *slog.Logger) *lateLog {
	l := &lateLog{partitions: partitions, opened: make(chan struct{}), cause: cause}
	l.ctx, l.stop = context.WithCancel(context.Background())
	logger.Warn("the brokers are away: events are taken when they answer, or spooled", "error", cause)
	l.work.Go(func() { l.try(open, logger) })
	return l
}

func (l *lateLog) try(open func(context.Context) (durableLog, error), logger *slog.Logger) {
	tick := time.NewTicker(lateEvery)
	defer tick.Stop()
	said := seldom.NewGate[string](time.Now)
	for {
		select {
		case <-tick.C:
		case <-l.ctx.Done():
			return
		}
		log, err := open(l.ctx)
		if err == nil {
			logger.Info("the brokers answer")
			l.log = log
			close(l.opened)
			return
		}
		if !passing(err) && l.ctx.Err() == nil && said.Due("error") {
			logger.Error("the brokers answer, and the log cannot be opened: it is tried again", "error", err)
		}
		l.mu.Lock()
		l.cause = err
		l.mu.Unlock()
	}
}

// now returns the log, or why there is none.
func (l *lateLog) now() (durableLog, error) {
	select {
	case <-l.opened:
		return l.log, nil
	default:
		l.mu.Lock()
		defer l.mu.Unlock()
		return nil, fmt.Errorf("%w: the log is not open yet: %w", stream.ErrUnavailable, l.cause)
	}
}

// Partitions implements stream.Producer.
func (l *lateLog) Partitions(topic string) int { return l.partitions[topic] }

// Append implements stream.Producer.
func (l *lateLog) Append(ctx context.Context, topic string, records []stream.Record) error {
	log, err := l.now()
	if err != nil {
		return err
	}
	return log.Append(ctx, topic, records)
}

// Consume implements stream.Consumer.
func (l *lateLog) Consume(ctx context.Context, topic, group string, handle func(context.Context, stream.Claim) error) error {
	select {
	case <-l.opened:
		return l.log.Consume(ctx, topic, group, handle)
	case <-ctx.Done():
		return nil
	case <-l.ctx.Done():
		_, err := l.now()
		return err
	}
}

// Healthy returns why the log takes no records now, nil if it does.
func (l *lateLog) Healthy() error {
	log, err := l.now()
	if err != nil {
		return err
	}
	return log.Healthy()
}

// Close implements stream.Log.
func (l *lateLog) Close() error {
	l.stop()
	l.work.Wait()
	if log, err := l.now(); err == nil {
		return log.Close()
	}
	return nil
}
