package ingest

import (
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/stream"
)

// outageTrust is how long one failure of the log stands for all: requests are
// refused unread meanwhile, then the next one tries the log again.
const outageTrust = time.Second

// outage remembers that the log was unavailable, and for how long clusters have
// been refused. It is safe for concurrent use.
type outage struct {
	now      func() time.Time
	refusing *prometheus.CounterVec

	mu    sync.Mutex
	until time.Time
	since map[audit.ClusterID]time.Time // time counted so far, of clusters that are being refused
}

func newOutage(now func() time.Time, refusing *prometheus.CounterVec) *outage {
	return &outage{now: now, refusing: refusing, since: map[audit.ClusterID]time.Time{}}
}

// known reports whether the log was unavailable a moment ago.
func (o *outage) known() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.now().Before(o.until)
}

// note learns from the answer to a request of a cluster.
func (o *outage) note(cluster audit.ClusterID, a answer, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.now()
	if errors.Is(err, stream.ErrUnavailable) && !now.Before(o.until) {
		o.until = now.Add(outageTrust)
	}
	if !a.again && a.code != http.StatusOK {
		return // its own doing, which says nothing of us
	}
	if since, ok := o.since[cluster]; ok {
		o.refusing.WithLabelValues(string(cluster)).Add(max(0, now.Sub(since).Seconds()))
	}
	if a.again {
		o.since[cluster] = now
	} else {
		delete(o.since, cluster)
	}
}
