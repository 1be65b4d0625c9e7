package engine

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/prometheus/client_golang/prometheus"
)

// SupervisorConfig says what a [Supervisor] runs.
type SupervisorConfig struct {
	// Library is the library's file (see [Fetch]).
	Library string
	// Path is the directory that holds the data; it is made if need be.
	Path string
	// Socket is the unix socket's path, at most 107 bytes; by default
	// engine.sock in Path.
	Socket string
	// Memory is the engine's limit, bytes; 0 is [DefaultMemory].
	Memory int64
	// Command is the program that calls [RunChild], with its arguments; by
	// default this program with "engine child".
	Command []string
	// Env are additional variables of the child's environment, which is empty
	// otherwise.
	Env []string
	// Ping is how often the engine is asked for a sign of life, and how long it
	// may take to give it; by default 10 s. After three that did not come the
	// child is killed and started again.
	Ping time.Duration

	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// ErrStopped is [Supervisor.Healthy]'s error after Stop.
var ErrStopped = errors.New("the engine was stopped")

// Supervisor keeps a child process with the engine running: it starts it again
// whenever it ends, after a wait that grows from 0.1 s to 30 s, and kills it when
// it does not answer any more. Address and password stay the same, so that
// clients only have to try again. Its methods are safe for concurrent use.
type Supervisor struct {
	config  SupervisorConfig
	child   instructions
	metrics *metrics

	stop context.CancelFunc
	done chan struct{} // closed when the supervising goroutine has ended

	mu      sync.Mutex
	current *process // the last one that was started
	health  error
}

// Start starts the engine and waits until it is ready; ctx bounds this wait and
// nothing after it. An engine that does not come up the first time is an error,
// which holds what the child said.
func Start(ctx context.Context, c SupervisorConfig) (*Supervisor, error) {
	s := &Supervisor{config: c, done: make(chan struct{})}
	if err := s.complete(); err != nil {
		return nil, err
	}
	first, err := s.launch(ctx)
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	if s.metrics, err = newMetrics(c.Registerer); err != nil {
		first.end(ctx)
		return nil, err
	}
	s.metrics.up.Set(1)
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	go s.supervise(running, first)
	return s, nil
}

// complete fills in what the configuration leaves out.
func (s *Supervisor) complete() error {
	if s.config.Command == nil {
		command, err := defaultCommand()
		if err != nil {
			return err
		}
		s.config.Command = command
	}
	s.config.Ping = cmp.Or(s.config.Ping, defaultPing)
	library, path, err := absolute(s.config.Library, s.config.Path)
	if err != nil {
		return err
	}
	if s.config.Socket == "" {
		s.config.Socket = layout{path}.socket()
	}
	listen, err := absoluteListen(unixPrefix + s.config.Socket)
	if err != nil {
		return err
	}
	s.config.Socket = listen[len(unixPrefix):]
	s.child = instructions{Library: library, Path: path, Listen: listen, Memory: s.config.Memory, Password: rand.Text()}
	return nil
}

// launch starts a child and waits until it is ready.
func (s *Supervisor) launch(ctx context.Context) (*process, error) {
	p, err := startProcess(s.config.Command, s.config.Env, s.child, s.config.Logger)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.current = p
	s.mu.Unlock()
	return p, p.awaitReady(ctx)
}

// supervise starts the child again whenever it ends, until ctx does.
func (s *Supervisor) supervise(ctx context.Context, p *process) {
	defer close(s.done)
	var wait backoff
	started := time.Now()
	for s.outlive(ctx, p) {
		s.config.Logger.Error("the engine ended and is started again", "err", s.Healthy())
		for pause := wait.next(time.Since(started)); ; pause = wait.next(0) {
			if !sleep(ctx, pause) {
				return
			}
			s.metrics.restarts.Inc()
			var err error
			started = time.Now()
			if p, err = s.launch(ctx); err == nil {
				break
			}
			s.setHealth(err)
			s.config.Logger.Error("the engine does not start", "err", err, "next_try_after", wait.last)
		}
		s.setHealth(nil)
		s.config.Logger.Info("the engine is back", "after", time.Since(started))
	}
}

// outlive waits for the end of the child, which it watches, and reports whether
// it came before that of ctx.
func (s *Supervisor) outlive(ctx context.Context, p *process) bool {
	watching, stop := context.WithCancel(ctx)
	defer stop()
	var watcher sync.WaitGroup
	watcher.Go(func() { s.watch(watching, p) })
	select {
	case <-ctx.Done():
	case <-p.ended:
		stop()
	}
	watcher.Wait() // it says no more of the child
	if ctx.Err() != nil {
		s.setHealth(ErrStopped)
		p.lease.Close()
		<-p.ended
		return false
	}
	s.setHealth(p.err)
	return true
}

// sleep waits for d and reports whether ctx is still alive.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

func (s *Supervisor) setHealth(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.health = err
	if err == nil {
		s.metrics.up.Set(1)
	} else {
		s.metrics.up.Set(0)
	}
}

// Healthy returns nil while the engine's process is ready and answers, otherwise
// why it does not.
func (s *Supervisor) Healthy() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.health
}

// Options returns how clickhouse-go reaches the engine. The options are the
// caller's.
func (s *Supervisor) Options() *clickhouse.Options {
	return &clickhouse.Options{
		Protocol:     clickhouse.HTTP,
		Addr:         []string{"localhost:8123"}, // a name only; proxies of the environment leave localhost alone
		Auth:         clickhouse.Auth{Database: "default", Username: User, Password: s.child.Password},
		DialContext:  func(ctx context.Context, _ string) (net.Conn, error) { return s.dial(ctx) },
		Settings:     clickhouse.Settings{"async_insert": 0},
		MaxOpenConns: maxQueries,
		MaxIdleConns: maxQueries,
	}
}

// Stop asks the engine to end, which lets running statements finish for a few
// seconds, and waits for it; when ctx ends it is killed. The error is ctx's.
// Stop may be called again.
func (s *Supervisor) Stop(ctx context.Context) error {
	s.stop()
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	current := s.current
	s.mu.Unlock()
	current.kill()
	<-s.done
	return fmt.Errorf("engine: killed, as it did not end in time: %w", ctx.Err())
}
