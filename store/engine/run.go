package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/klaxon-dev/klaxon/internal/secretfile"
	"github.com/klaxon-dev/klaxon/store/engine/internal/chdb"
	"github.com/klaxon-dev/klaxon/store/engine/internal/front"
)

const (
	// User is the name that clients log in with.
	User = "default"
	// DefaultMemory is the engine's memory limit unless another is set, bytes.
	DefaultMemory = 1536 << 20
	// MaxInsert bounds the data of one INSERT, bytes. They are held in memory
	// until they are complete.
	MaxInsert = 512 << 20

	minMemory     = 256 << 20
	maxQueries    = 8
	maxWaiting    = 256
	maxHeader     = 1 << 20 // bytes; parameters are part of the URL
	lockPatience  = 30 * time.Second
	drainPatience = 5 * time.Second
)

// Config says what [Run] runs.
type Config struct {
	// Library is the library's file (see [Fetch]).
	Library string
	// Path is the directory that holds the data; it is made if need be.
	Path string
	// Listen is where clients come: "unix:/path/of.sock" or a loopback address
	// "127.0.0.1:8123" (port 0: any free one).
	Listen string
	// Password is what clients must show, with the name [User]. Empty: the
	// secret of the file "password" in Path, a random one at first.
	Password string
	// Memory is the engine's limit, bytes; 0 is [DefaultMemory].
	Memory int64
	// Lease, where set, ends the run when it comes to its end: a pipe from the
	// parent, whose death closes it.
	Lease io.Reader
	// Ready gets one line of JSON, a [Readiness], when clients can come.
	Ready io.Writer
	// Logger gets what the HTTP server has to say.
	Logger *slog.Logger
}

// Readiness is the line that tells that the engine can be used.
type Readiness struct {
	Ready        bool   `json:"ready"`
	Network      string `json:"network"` // unix or tcp
	Address      string `json:"address"`
	Version      string `json:"version"` // of the engine
	PID          int    `json:"pid"`
	PasswordFile string `json:"password_file,omitempty"` // where the password lies, unless it was given
}

// Run opens the engine and serves until ctx or the lease ends; then it lets
// running statements finish for a few seconds, stops the rest and closes the
// engine. An engine that still runs on the same path is waited for.
//
// It is made for a process of its own: it changes the current directory and the
// time zone, and a second engine in the process must have the same path.
func Run(ctx context.Context, c Config) error {
	c, passwordFile, err := c.complete()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if c.Lease != nil {
		go func() { // ends with the process: a read of a pipe cannot be called off
			_, _ = io.Copy(io.Discard, c.Lease)
			cancel(errors.New("the parent has gone"))
		}()
	}
	lock, err := hold(ctx, layout{c.Path}.lock())
	if err != nil {
		return err
	}
	defer lock.Close()
	engine, err := c.open()
	if err != nil {
		return err
	}
	defer engine.Close()
	handler, err := front.New(engine, front.Options{
		User: User, Password: c.Password, MaxQueries: maxQueries, MaxWaiting: maxWaiting, MaxInsert: MaxInsert, Logger: c.Logger,
	})
	if err != nil {
		return err
	}
	listener, err := listen(c.Listen)
	if err != nil {
		return err
	}
	ready := Readiness{
		Ready: true, Network: listener.Addr().Network(), Address: listener.Addr().String(),
		Version: handler.Version(), PID: os.Getpid(), PasswordFile: passwordFile,
	}
	return serve(ctx, listener, handler, c, ready)
}

// complete checks the configuration and fills in what was left out.
func (c Config) complete() (_ Config, passwordFile string, err error) {
	if c.Memory == 0 {
		c.Memory = DefaultMemory
	}
	if c.Memory < minMemory {
		return c, "", fmt.Errorf("engine memory: %d bytes is too little, it needs at least %d", c.Memory, minMemory)
	}
	if c.Library, c.Path, err = absolute(c.Library, c.Path); err != nil {
		return c, "", err
	}
	if c.Listen, err = absoluteListen(c.Listen); err != nil {
		return c, "", err
	}
	if err := (layout{c.Path}).make(); err != nil {
		return c, "", fmt.Errorf("engine data: %w", err)
	}
	if c.Password == "" {
		passwordFile = layout{c.Path}.password()
		if c.Password, err = secretfile.Ensure(passwordFile); err != nil {
			return c, "", fmt.Errorf("engine password: %w", err)
		}
	}
	return c, passwordFile, nil
}

// hold takes the path's lock. The engine has one of its own, but does not wait
// for it.
func hold(ctx context.Context, path string) (*os.File, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, lockPatience, errors.New("another engine runs on this path"))
	defer cancel()
	lock, err := lockFile(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("engine data: %w", errors.Join(err, context.Cause(ctx)))
	}
	return lock, nil
}

func (c Config) open() (*chdb.Engine, error) {
	l := layout{c.Path}
	args, err := l.arguments(c.Memory)
	if err != nil {
		return nil, fmt.Errorf("engine configuration: %w", err)
	}
	if err := os.Setenv("TZ", "UTC"); err != nil {
		return nil, err
	}
	if err := os.Chdir(l.work()); err != nil {
		return nil, fmt.Errorf("engine data: %w", err)
	}
	engine, err := chdb.Open(c.Library, args...)
	if err != nil {
		return nil, fmt.Errorf("open the engine on %s: %w", c.Path, err)
	}
	return engine, nil
}

// serve serves until ctx ends and then stops in good order.
func serve(ctx context.Context, listener net.Listener, handler http.Handler, c Config, ready Readiness) error {
	statements, stopStatements := context.WithCancel(context.WithoutCancel(ctx))
	defer stopStatements()
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Hour, // longer than clients keep connections
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(c.Logger.Handler(), slog.LevelWarn),
		BaseContext:       func(net.Listener) context.Context { return statements },
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	line, err := json.Marshal(ready)
	if err == nil {
		_, err = c.Ready.Write(append(line, '\n'))
	}
	if err != nil {
		err = fmt.Errorf("say that the engine is ready: %w", err)
	} else {
		select {
		case err = <-served:
			err = fmt.Errorf("serve the engine: %w", err)
		case <-ctx.Done():
			c.Logger.Info("engine stops", "cause", context.Cause(ctx))
		}
	}
	drain(server, stopStatements)
	return err
}

// drain lets running statements finish for a while, then stops them, and
// returns when no handler runs any more.
func drain(server *http.Server, stopStatements context.CancelFunc) {
	patience, cancel := context.WithTimeout(context.Background(), drainPatience)
	defer cancel()
	if server.Shutdown(patience) == nil {
		return
	}
	stopStatements()
	final, cancel := context.WithTimeout(context.Background(), drainPatience)
	defer cancel()
	if server.Shutdown(final) != nil {
		_ = server.Close()
	}
}
