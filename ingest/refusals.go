package ingest

import (
	"log/slog"
	"net"
	"net/http"
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
type refusal struct{ address, cluster, reason string }

func newRefusals(now func() time.Time, logger *slog.Logger) *refusals {
	return &refusals{logger: logger, gate: seldom.NewGate[refusal](now)}
}

func (r *refusals) log(req *http.Request, sender Sender, a answer, err error) {
	what := refusal{address: host(req.RemoteAddr), cluster: pathCluster(req), reason: a.reason}
	if !r.gate.Due(what) {
		return
	}
	r.logger.Warn("refused a webhook request",
		"address", what.address, "cluster", what.cluster, "sender", sender.Name,
		"reason", what.reason, "code", a.code, "err", err)
}

// pathCluster returns the cluster that the path names: anybody can write one,
// so what is no cluster's name is not repeated.
func pathCluster(req *http.Request) string {
	name := req.PathValue("cluster")
	if CheckCluster(name) != nil {
		return "(not a name)"
	}
	return name
}

func host(address string) string {
	if h, _, err := net.SplitHostPort(address); err == nil {
		return h
	}
	return address
}
