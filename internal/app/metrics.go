package app

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/klaxon-dev/klaxon/internal/secretfile"
)

// metricsServer answers /metrics, /livez and /readyz.
type metricsServer struct {
	http     *http.Server
	listener net.Listener
}

func newMetricsServer(c MetricsConfig, registry *prometheus.Registry, h *health) (*metricsServer, error) {
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("metrics.listen: %w", err)
	}
	mux := http.NewServeMux()
	metrics := promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second})
	mux.Handle("GET /metrics", behindToken(c.TokenFile, metrics))
	mux.HandleFunc("GET /livez", h.live)
	mux.Handle("GET /readyz", h)
	return &metricsServer{
		listener: listener,
		http: &http.Server{
			Handler:           mux,
			ReadHeaderTimeout: 5 * time.Second,
			ReadTimeout:       10 * time.Second,
			WriteTimeout:      20 * time.Second,
			IdleTimeout:       time.Minute,
			MaxHeaderBytes:    16 << 10,
		},
	}, nil
}

// behindToken asks for a bearer token, if there is a file of one. The file is
// read at each request: a few a minute.
func behindToken(file string, next http.Handler) http.Handler {
	if file == "" {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		want, err := secretfile.Read(file)
		given, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if err != nil || !found || subtle.ConstantTimeCompare([]byte(want), []byte(given)) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "metrics need the token of metrics.token_file", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *metricsServer) addr() net.Addr { return s.listener.Addr() }

func (s *metricsServer) serve() error {
	if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (s *metricsServer) shutdown(ctx context.Context) error { return s.http.Shutdown(ctx) }

// health answers /readyz: 200 while every part works, 503 with what does not;
// and /livez: 500 when only a restart helps.
type health struct {
	fatal  func() error
	checks map[string]func(context.Context) error
	phase  atomic.Value // string: starting, ok or stopping

	mu    sync.Mutex
	notes map[string]func() string
}

func newHealth(fatal func() error, checks map[string]func(context.Context) error) *health {
	h := &health{checks: checks, fatal: fatal, notes: map[string]func() string{}}
	h.phase.Store("starting")
	return h
}

// note adds to the answer what is worth saying and no reason to ask another
// process, when it is not "".
func (h *health) note(name string, say func() string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.notes[name] = say
}

func (h *health) live(w http.ResponseWriter, _ *http.Request) {
	if err := h.fatal(); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}

func (h *health) serving()  { h.phase.Store("ok") }
func (h *health) stopping() { h.phase.Store("stopping") }

// ServeHTTP runs the checks.
func (h *health) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	status := map[string]string{}
	code := http.StatusOK
	for name, check := range h.checks {
		status[name] = "ok"
		if err := check(ctx); err != nil {
			status[name] = err.Error()
			code = http.StatusServiceUnavailable
		}
	}
	h.mu.Lock()
	for name, say := range h.notes {
		if text := say(); text != "" {
			status[name] = text
		}
	}
	h.mu.Unlock()
	if phase := h.phase.Load().(string); phase != "ok" {
		status["serve"] = phase
		code = http.StatusServiceUnavailable
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(status)
}
