package engine

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

const (
	// defaultPing is how often the engine is asked for a sign of life, and how
	// long it may take to give it.
	defaultPing = 10 * time.Second
	// maxMissed is how many signs in a row may be missing before the engine is
	// taken for one that hangs.
	maxMissed = 3
)

// watch asks the child for signs of life until ctx ends, and kills a child that
// gives none: one that is stopped or deadlocked does not end by itself.
func (s *Supervisor) watch(ctx context.Context, p *process) {
	pings := s.pinger()
	defer pings.CloseIdleConnections()
	missed := 0
	for sleep(ctx, s.config.Ping) {
		err := s.ping(ctx, pings)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil && missed > 0:
			missed = 0
			s.setHealth(nil)
			s.config.Logger.Info("the engine answers again")
		case err != nil:
			missed++
			s.metrics.unanswered.Inc()
			s.setHealth(fmt.Errorf("the engine does not answer: %w", err))
			s.config.Logger.Warn("the engine does not answer", "pings", missed, "err", err)
		}
		if missed == maxMissed {
			s.config.Logger.Error("the engine hangs: it is killed, to be started again", "pings", missed)
			_ = p.cmd.Process.Kill() // fails only where the process has ended
			return
		}
	}
}

// ping returns nil when the engine answers in time. A ping takes no place among
// the statements: it is answered while the most of them run.
func (s *Supervisor) ping(ctx context.Context, pings *http.Client) error {
	ctx, cancel := context.WithTimeout(ctx, s.config.Ping)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost/ping", nil)
	if err != nil {
		return err
	}
	response, err := pings.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<10))
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %.200s", response.Status, text)
	}
	return err
}

// pinger returns a client that makes a connection for each ping.
func (s *Supervisor) pinger() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return s.dial(ctx) },
	}}
}

func (s *Supervisor) dial(ctx context.Context) (net.Conn, error) {
	var dialer net.Dialer
	return dialer.DialContext(ctx, "unix", s.config.Socket)
}
