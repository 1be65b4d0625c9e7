package app

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// ServeMetrics answers /metrics and probes for a command that runs long and is
// no serve, until stop is called. It returns the address that it listens on.
func ServeMetrics(c MetricsConfig, registry *prometheus.Registry, logger *slog.Logger) (address string, stop func(), err error) {
	if !isLoopback(c.Listen) && c.TokenFile == "" {
		return "", nil, fmt.Errorf("%s is reached from other machines: give a token file too, or listen on 127.0.0.1", c.Listen)
	}
	h := newHealth(func() error { return nil }, nil)
	s, err := newMetricsServer(c, registry, h)
	if err != nil {
		return "", nil, err
	}
	served := make(chan error, 1)
	go func() { served <- s.serve() }()
	h.serving()
	return s.addr().String(), func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = s.shutdown(ctx)
		if err := <-served; err != nil {
			logger.Error("metrics were not served", "err", err)
		}
	}, nil
}
