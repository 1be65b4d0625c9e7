// Package serve runs a built klaxon as its users do: 'klaxon serve' as a process
// with a data directory of its own, and the other commands beside it.
package serve

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/klaxon-dev/klaxon/e2e/process"
	"github.com/klaxon-dev/klaxon/internal/datadir"
	"github.com/klaxon-dev/klaxon/web/api/client"
)

// Binary is where 'make build' leaves klaxon, from the directory of a test in
// e2e; the variable KLAXON names another.
const Binary = "../bin/klaxon"

// stopGrace is how long a stop may take: serve gives itself 30 s.
const stopGrace = 40 * time.Second

// Serve is one installation: a data directory, and at most one process at a
// time that serves it, always on the same ports. Its methods are safe for
// concurrent use.
type Serve struct {
	Data    datadir.Dir
	Log     string // what the processes said on standard error, one after the other
	Webhook string // URL
	API     string // URL
	Metrics string // URL

	binary, config string

	mu      sync.Mutex // held while a process starts or ends
	process *process.Process
}

// New makes an installation in an existing directory. What is in more is added
// to the configuration file (YAML); it must not name sections ingest, api or
// metrics.
func New(dir, more string) (*Serve, error) {
	binary, err := findBinary()
	if err != nil {
		return nil, err
	}
	s := &Serve{
		Data: datadir.Dir(filepath.Join(dir, "data")), Log: filepath.Join(dir, "serve.log"),
		binary: binary, config: filepath.Join(dir, "klaxon.yaml"),
	}
	var config bytes.Buffer
	for _, section := range []struct {
		name, scheme string
		url          *string
	}{{"ingest", "https://", &s.Webhook}, {"api", "https://", &s.API}, {"metrics", "http://", &s.Metrics}} {
		port, err := process.FreePort()
		if err != nil {
			return nil, err
		}
		*section.url = section.scheme + "127.0.0.1:" + port
		fmt.Fprintf(&config, "%s: {listen: \"127.0.0.1:%s\"}\n", section.name, port)
	}
	config.WriteString(more)
	return s, os.WriteFile(s.config, config.Bytes(), 0o600)
}

func findBinary() (string, error) {
	path, err := filepath.Abs(Binary)
	if named := os.Getenv("KLAXON"); named != "" {
		path, err = filepath.Abs(named)
	}
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%w: run 'make build', or set KLAXON to a built klaxon", err)
	}
	return path, nil
}

// Start starts a process and returns when it is ready.
func (s *Serve) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := process.Start(s.binary, s.Log, "serve", "--config", s.config, "--data-dir", s.Data.String())
	if err != nil {
		return err
	}
	s.process = p
	return p.UntilReady(ctx, http.DefaultClient, s.Metrics+"/readyz")
}

// Kill ends the process as kill -9 does.
func (s *Serve) Kill() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process.Kill()
}

// Stop ends the process as an administrator does.
func (s *Serve) Stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process.Stop(stopGrace)
}

// Run runs a command of klaxon on the data directory and returns what it
// printed.
func (s *Serve) Run(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, s.binary, args...)
	cmd.Env = append(os.Environ(), datadir.EnvDir+"="+s.Data.String())
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return out, fmt.Errorf("klaxon %q: %w: %s", args, err, exit.Stderr)
	}
	return out, err
}

// Sender makes a credential for a cluster and returns the path of the
// kubeconfig for its API server. Serve must have been started once.
func (s *Serve) Sender(ctx context.Context, cluster string) (string, error) {
	text, err := s.Run(ctx, "sender", "add", cluster, "-o", "kubeconfig")
	if err != nil {
		return "", err
	}
	path := filepath.Join(filepath.Dir(s.config), cluster+".kubeconfig")
	return path, os.WriteFile(path, text, 0o600)
}

// Client returns a client of the API with all rights. Serve must have been
// started once.
func (s *Serve) Client() (*client.Client, error) {
	local, err := s.Data.ReadClient()
	if err != nil {
		return nil, err
	}
	return client.New(client.Config{Server: local.Server, TokenFile: local.TokenFile, CAFile: local.CAFile})
}
