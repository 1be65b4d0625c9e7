package api

import (
	"log/slog"
	"net"
	"sync"
	"time"
)

// Bounds of what refused askers may write into the log.
const (
	refusalEvery = time.Minute
	maxRefused   = 1024
)

// refusals logs refused requests, each kind at most once a minute. It is safe
// for concurrent use.
type refusals struct {
	now    func() time.Time
	logger *slog.Logger

	mu     sync.Mutex
	logged map[refusal]time.Time // at most maxRefused
}

// refusal is what is said once a minute.
type refusal struct{ address, principal, reason string }

func newRefusals(now func() time.Time, logger *slog.Logger) *refusals {
	return &refusals{now: now, logger: logger, logged: map[refusal]time.Time{}}
}

func (r *refusals) log(what refusal) {
	if r.due(what) {
		r.logger.Warn("refused a request to the API", "address", what.address, "principal", what.principal, "reason", what.reason)
	}
}

// due reports whether what may be logged now. Past maxRefused different
// refusals a minute the others are only counted.
func (r *refusals) due(what refusal) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	if last, ok := r.logged[what]; ok && now.Sub(last) < refusalEvery {
		return false
	}
	if len(r.logged) >= maxRefused {
		r.forget(now)
	}
	if len(r.logged) >= maxRefused {
		return false
	}
	r.logged[what] = now
	return true
}

func (r *refusals) forget(now time.Time) {
	for what, last := range r.logged {
		if now.Sub(last) >= refusalEvery {
			delete(r.logged, what)
		}
	}
}

// host returns the address without its port.
func host(address string) string {
	if h, _, err := net.SplitHostPort(address); err == nil {
		return h
	}
	return address
}
