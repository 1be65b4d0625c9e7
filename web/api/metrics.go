package api

import (
	"errors"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Reasons of refusals, values of a label.
const (
	reasonToken     = "token"     // none, or not a principal's
	reasonForbidden = "forbidden" // not for this role or these clusters
	reasonBusy      = "busy"
	reasonQuery     = "query_size"
)

// metrics are the API's. Operations, reasons and codes are from fixed lists.
type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	refused  *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "klaxon_api_requests_total",
			Help: "Requests to the API, by operation and HTTP status.",
		}, []string{"operation", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "klaxon_api_request_duration_seconds",
			Help:    "Time until a request to the API was answered, by operation.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2.5, 13),
		}, []string{"operation"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "klaxon_api_refused_total",
			Help: "Requests to the API that were refused, by reason.",
		}, []string{"reason"}),
	}
	return m, errors.Join(reg.Register(m.requests), reg.Register(m.duration), reg.Register(m.refused))
}

func (m *metrics) answered(operation string, code int, took time.Duration) {
	m.requests.WithLabelValues(operation, strconv.Itoa(code)).Inc()
	m.duration.WithLabelValues(operation).Observe(took.Seconds())
}
