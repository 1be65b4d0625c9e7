// Package enginetest gives tests a real embedded engine.
//
// The engine runs in a child process, which is the test binary itself; so a
// package that uses it has
//
//	func TestMain(m *testing.M) { enginetest.Main(m) }
//
// and each test (or the tests together, by one engine and a database each)
//
//	options := enginetest.Start(t)
//	conn, err := clickhouse.Open(options)
package enginetest

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/klaxon-dev/klaxon/store/engine"
)

const (
	childVariable = "KLAXON_ENGINETEST_CHILD"
	testMemory    = 1 << 30 // bytes
	fetchPatience = 10 * time.Minute
	startPatience = 2 * time.Minute
	stopPatience  = 30 * time.Second
)

// Main runs the tests, or the engine where the process is its child.
func Main(m *testing.M) {
	if os.Getenv(childVariable) == "" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := engine.RunChild(ctx, os.Stdin, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Start fetches the library if need be, starts an engine on an empty directory
// and returns how to reach it. It ends with the test.
func Start(t testing.TB) *clickhouse.Options {
	t.Helper()
	return Supervise(t, Config(t, Dir(t))).Options()
}

// Dir makes a directory for an engine, short enough for a socket's path. It is
// removed with the test.
func Dir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "klaxon-engine-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// Config returns the configuration of an engine on the directory path, whose
// child is the test binary.
func Config(t testing.TB, path string) engine.SupervisorConfig {
	t.Helper()
	return engine.SupervisorConfig{
		Library: library(t),
		Path:    path,
		Memory:  testMemory,
		// A binary without Main runs no test instead of all of them once more.
		Command:    []string{executable(t), "-test.run=^$"},
		Env:        []string{childVariable + "=1"},
		Logger:     slog.New(slog.NewTextHandler(t.Output(), nil)),
		Registerer: prometheus.NewRegistry(),
	}
}

// Supervise starts an engine that ends with the test.
func Supervise(t testing.TB, c engine.SupervisorConfig) *engine.Supervisor {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startPatience)
	defer cancel()
	s, err := engine.Start(ctx, c)
	if err != nil {
		t.Fatalf("start the engine (does TestMain call enginetest.Main?): %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), stopPatience)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return s
}

func library(t testing.TB) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), fetchPatience)
	defer cancel()
	path, err := engine.Fetch(ctx, "", engine.FetchOptions{Progress: func(line string) { t.Log(line) }})
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func executable(t testing.TB) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}
