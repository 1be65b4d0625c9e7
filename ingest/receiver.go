// Package ingest is the way in: it takes audit events from API servers over
// their audit webhook, makes secrets in them unreadable and puts them into the
// durable log, and it keeps the credentials by which senders are known.
//
// What a sender is told is what is true: 2xx only when all of a request is
// durable, 503 and 429 with Retry-After when it should come again, and never a
// 4xx for what an event holds, because an API server would send the same
// request five times and then drop all of its events.
package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/stream"
)

// Options are what a receiver works with. All but Instance are required.
type Options struct {
	Instance   string          // see [Config]
	Producer   stream.Producer // of the topics Events and DeadLetters
	Senders    *Registry
	Redactor   *audit.Redactor
	Sealer     *Sealer
	Limits     Limits
	Now        func() time.Time
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Receiver answers POST /webhook/{cluster}, what an API server's audit webhook
// backend sends. It is safe for concurrent use.
type Receiver struct {
	Options
	metrics  *metrics
	budget   *budget
	gate     *gate
	progress *progress
	outage   *outage
	refusals *refusals
	reducer  *audit.Reducer
	turn     chan struct{} // held by who reduces an event
	mux      *http.ServeMux

	eventPartitions, letterPartitions int
}

// NewReceiver makes a receiver. The log has the topics already.
func NewReceiver(o Options) (*Receiver, error) {
	m, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, fmt.Errorf("ingest metrics: %w", err)
	}
	reducer, err := audit.NewReducer(o.Redactor, int(o.Limits.EventBytes))
	if err != nil {
		return nil, fmt.Errorf("ingest.limits.event_bytes: %w", err)
	}
	r := &Receiver{
		Options:  o,
		metrics:  m,
		budget:   newBudget(o.Limits.SenderHeldBytes, o.Limits.HeldBytes, m.held),
		gate:     newGate(o.Limits.SenderRequests),
		progress: newProgress(o.Now),
		outage:   newOutage(o.Now, m.refusing),
		refusals: newRefusals(o.Now, o.Logger, o.Senders.hasCluster),
		reducer:  reducer,
		turn:     make(chan struct{}, 1),
		mux:      http.NewServeMux(),

		eventPartitions:  o.Producer.Partitions(topic.Events),
		letterPartitions: o.Producer.Partitions(topic.DeadLetters),
	}
	if r.eventPartitions == 0 || r.letterPartitions == 0 {
		return nil, fmt.Errorf("the log lacks the topic %s or %s", topic.Events, topic.DeadLetters)
	}
	r.mux.HandleFunc("POST /webhook/{cluster}", r.receive)
	return r, nil
}

// ServeHTTP answers one request. Requests are answered in parallel, as an API
// server sends them.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if _, pattern := r.mux.Handler(req); pattern == "" {
		forgetBody(req)
	}
	r.mux.ServeHTTP(w, req)
}

func (r *Receiver) receive(w http.ResponseWriter, req *http.Request) {
	sender, err := r.admit(req)
	if err == nil {
		err = r.accept(w, req, sender)
	}
	r.answer(w, req, sender, err)
}

// admit decides by the head of the request alone: no byte of its body is read
// for a sender that may not send.
func (r *Receiver) admit(req *http.Request) (Sender, error) {
	sender, ok := r.Senders.Authenticate(req)
	if !ok {
		return Sender{}, errNoCredential
	}
	if string(sender.Cluster) != req.PathValue("cluster") {
		return sender, wrongClusterError{sender.Cluster}
	}
	if encoding := req.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return sender, errCompressed
	}
	if r.outage.known() {
		return sender, stream.ErrUnavailable
	}
	return sender, nil
}

// accept returns nil when all of the request is durable.
func (r *Receiver) accept(w http.ResponseWriter, req *http.Request, sender Sender) error {
	timeout := r.Limits.RequestTimeout
	ctx, cancel := context.WithTimeout(req.Context(), timeout)
	defer cancel()
	// A request that is not over a connection (in a test) has no deadline.
	err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(timeout))
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		return readError{err}
	}
	leave, err := r.gate.enter(ctx, sender.Name)
	if err != nil {
		return err
	}
	defer leave()
	received, end := r.progress.begin(sender.Name)
	defer end()
	p := newPost(ctx, r, sender, received, req.Body)
	defer p.release()
	return p.run(ctx)
}

// answer tells the sender, the metrics and, within reason, the log.
func (r *Receiver) answer(w http.ResponseWriter, req *http.Request, sender Sender, err error) {
	a := answerTo(err)
	r.metrics.answered(string(sender.Cluster), a.code)
	r.outage.note(sender.Cluster, a, err)
	if err == nil {
		w.WriteHeader(a.code)
		return
	}
	r.metrics.refused.WithLabelValues(a.reason).Inc()
	r.refusals.request(req, sender, a, err)
	forgetBody(req)
	a.write(w, req, err)
}

// reasonShare is why a connection is closed: its address has its share of them.
const reasonShare = "address_connections"

func (r *Receiver) refuseConnection(address string) {
	r.metrics.refused.WithLabelValues(reasonShare).Inc()
	r.refusals.connection(address, reasonShare)
}
