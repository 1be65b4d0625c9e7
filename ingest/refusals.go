package ingest

import (
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Bounds of what refused senders may write into the log.
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
type refusal struct{ address, cluster, reason string }

func newRefusals(now func() time.Time, logger *slog.Logger) *refusals {
	return &refusals{now: now, logger: logger, logged: map[refusal]time.Time{}}
}

func (r *refusals) log(req *http.Request, sender Sender, a answer, err error) {
	what := refusal{address: host(req.RemoteAddr), cluster: pathCluster(req), reason: a.reason}
	if !r.due(what) {
		return
	}
	r.logger.Warn("refused a webhook request",
		"address", what.address, "cluster", what.cluster, "sender", sender.Name,
		"reason", what.reason, "code", a.code, "err", err)
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
