package ingest

import (
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/klaxon-dev/klaxon/internal/seldom"
)

// refusals logs what is refused, each kind at most once a minute. It is safe for
// concurrent use.
type refusals struct {
	logger *slog.Logger
	known  func(cluster string) bool
	gate   *seldom.Gate[refusal]
}

// refusal is what is said once a minute. The cluster is "" where the path names
// none that has a sender: strangers could write ever new ones.
type refusal struct{ network, cluster, reason string }

func newRefusals(now func() time.Time, logger *slog.Logger, known func(cluster string) bool) *refusals {
	return &refusals{logger: logger, known: known, gate: seldom.NewGate[refusal](now)}
}

// request logs a refused request with the cluster that its path names.
func (r *refusals) request(req *http.Request, sender Sender, a answer, err error) {
	cluster := pathCluster(req)
	address := host(req.RemoteAddr)
	what := refusal{network: network(address), reason: a.reason}
	if r.known(cluster) {
		what.cluster = cluster
	}
	if !r.gate.Due(what) {
		return
	}
	r.logger.Warn("refused a webhook request",
		"address", address, "cluster", cluster, "sender", sender.Name,
		"reason", what.reason, "code", a.code, "err", err)
}

// connection logs a connection that was closed because its address has its
// share.
func (r *refusals) connection(address, reason string) {
	if r.gate.Due(refusal{network: network(address), reason: reason}) {
		r.logger.Warn("closed a webhook connection: its address has a quarter of ingest.limits.connections", "address", address, "reason", reason)
	}
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

// network returns what an address counts as: itself, of version 6 its /64, all of
// which one host may have.
func network(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil || a.Unmap().Is4() {
		return address
	}
	p, err := a.WithZone("").Prefix(64)
	if err != nil {
		return address
	}
	return p.String()
}

func host(address string) string {
	if h, _, err := net.SplitHostPort(address); err == nil {
		return h
	}
	return address
}
