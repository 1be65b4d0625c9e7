package stage

import (
	"log/slog"
	"sync"
	"time"

	"github.com/klaxon-dev/klaxon/internal/seldom"
	"github.com/klaxon-dev/klaxon/stream"
)

// bad says which records cannot be read, one a minute of each partition: strangers
// may write as many as they like. All are counted.
type bad struct {
	logger *slog.Logger
	gate   *seldom.Gate[int]
}

func newBad(logger *slog.Logger) *bad {
	return &bad{logger: logger, gate: seldom.NewGate[int](time.Now)}
}

// say tells of a record that cannot be read, and nothing of what is in it.
func (b *bad) say(topic string, r *stream.Record, err error) {
	if b.gate.Due(r.Partition) {
		b.logger.Error("a record of the log cannot be read: it is passed over and counted, like others of this minute",
			"topic", topic, "partition", r.Partition, "offset", r.Offset, "error", err)
	}
}

// maxLabels is how many values a label may have that a record names.
const maxLabels = 1000

// labels are values of a label. Those that come when there are too many are one.
type labels struct {
	mu    sync.Mutex
	known map[string]struct{}
}

// of returns the label that a value has.
func (l *labels) of(value string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.known[value]; ok {
		return value
	}
	if len(l.known) >= maxLabels {
		return "other"
	}
	if l.known == nil {
		l.known = map[string]struct{}{}
	}
	l.known[value] = struct{}{}
	return value
}
