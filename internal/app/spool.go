package app

import (
	"context"

	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/store"
	"github.com/klaxon-dev/klaxon/stream"
	"github.com/klaxon-dev/klaxon/stream/spool"
)

// Parts of the spool, in percent of its bytes.
const (
	spoolEvents  = 80
	spoolLetters = 20
)

// spools reports whether the process keeps events while brokers are away.
func (a *App) spools() bool { return a.config.Spool.Enabled() && a.config.Roles.Has(RoleIngest) }

// openEntry returns what the receiver appends to: the log, or a spool in front of
// it.
func (a *App) openEntry(ctx context.Context, log durableLog) (stream.Producer, error) {
	if !a.spools() {
		return log, nil
	}
	s, err := spool.Open(ctx, a.config.Spool, spool.Options{
		Target: log,
		Topics: map[string]spool.Topic{
			topic.Events:      {Partitions: log.Partitions(topic.Events), Percent: spoolEvents},
			topic.DeadLetters: {Partitions: log.Partitions(topic.DeadLetters), Percent: spoolLetters},
		},
		MaxRecordBytes: a.config.Stream.Kafka.MaxRecordBytes,
		Logger:         a.logger.With("part", "spool"),
		Registerer:     a.registry,
		Clock:          a.clock,
	})
	if err != nil {
		return nil, err
	}
	a.cleanups.add("spool", func(context.Context) error { return s.Close() })
	a.spool = s
	return s, nil
}

// newHealth returns how the process is.
func (a *App) newHealth(log durableLog, db *store.Store) *health {
	if a.config.Stream.Kind == StreamLocal {
		return newHealth(failedLog(log), checks(log, db, a.engine))
	}
	var h *health
	if a.spool == nil {
		h = newHealth(failedLog(log), checks(nil, db, a.engine))
	} else {
		h = newHealth(failedLog(log, a.spool), checks(spoolHealth{a.spool}, db, a.engine))
		h.note("spool", a.spool.Status)
	}
	// Where brokers are away, senders are better told to come again, and when, than
	// that nobody is there: they try for minutes longer.
	h.note("log", func() string {
		if err := log.Healthy(); err != nil {
			return err.Error()
		}
		return ""
	})
	return h
}

// spoolHealth is that of a log behind a spool: brokers may be away, the disk may
// fail, not both.
type spoolHealth struct{ *spool.Spool }

// Healthy returns why nothing is taken for long.
func (h spoolHealth) Healthy() error {
	if _, spooling := h.Spooling(); !spooling {
		return nil
	}
	return h.Spool.Healthy()
}
