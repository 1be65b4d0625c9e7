package api

import (
	"log/slog"
	"net"
	"time"

	"github.com/klaxon-dev/klaxon/internal/seldom"
)

// refusals logs refused requests, each kind at most once a minute. It is safe
// for concurrent use.
type refusals struct {
	logger *slog.Logger
	gate   *seldom.Gate[refusal]
}

// refusal is what is said once a minute.
type refusal struct{ address, principal, reason string }

func newRefusals(now func() time.Time, logger *slog.Logger) *refusals {
	return &refusals{logger: logger, gate: seldom.NewGate[refusal](now)}
}

func (r *refusals) log(what refusal) {
	if r.gate.Due(what) {
		r.logger.Warn("refused a request to the API", "address", what.address, "principal", what.principal, "reason", what.reason)
	}
}

// host returns the address without its port.
func host(address string) string {
	if h, _, err := net.SplitHostPort(address); err == nil {
		return h
	}
	return address
}
