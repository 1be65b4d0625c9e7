package process_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klaxon-dev/klaxon/e2e/process"
)

const grace = 10 * time.Second

// start runs a shell script and waits for its first line.
func start(t *testing.T, script string) (*process.Process, string) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log")
	p, err := process.Start("/bin/sh", log, "-c", script)
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(grace); ; time.Sleep(time.Millisecond) {
		text, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "\n") {
			return p, log
		}
		if time.Now().After(deadline) {
			t.Fatal("the script does not begin")
		}
	}
}

func TestStop(t *testing.T) {
	f := func(name, script string, grace time.Duration, want string) {
		t.Helper()
		p, _ := start(t, script)
		err := p.Stop(grace)
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: got %v, want %q", name, err, want)
		}
	}
	f("ends when asked", `trap "exit 0" TERM; echo ready; while :; do sleep 0.01; done`, grace, "")
	f("does not end", `trap "" TERM; echo ready; while :; do sleep 0.01; done`, 50*time.Millisecond, "was killed")
}

func TestKill(t *testing.T) {
	p, _ := start(t, `trap "" TERM; echo ready; while :; do sleep 0.01; done`)
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := p.Kill(); err == nil || !strings.Contains(err.Error(), "signal: killed") {
		t.Errorf("killed twice: got %v, want how it ended", err)
	}
}

func TestPause(t *testing.T) {
	p, _ := start(t, `trap "exit 0" TERM; echo ready; while :; do sleep 0.01; done`)
	if err := p.Pause(); err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(50 * time.Millisecond); err == nil || !strings.Contains(err.Error(), "was killed") {
		t.Errorf("stopped while it is paused: got %v, want that it was killed", err)
	}
	p, _ = start(t, `trap "exit 0" TERM; echo ready; while :; do sleep 0.01; done`)
	if err := errors.Join(p.Pause(), p.Resume(), p.Stop(grace)); err != nil {
		t.Error(err)
	}
	if p.Resume() == nil {
		t.Error("a process that has ended was resumed")
	}
}

// TestUntilReady fails as soon as the process ends, with what it said last.
func TestUntilReady(t *testing.T) {
	var asked int
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked++; asked < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	p, _ := start(t, "echo ready; while :; do sleep 0.01; done")
	if err := p.UntilReady(t.Context(), server.Client(), server.URL); err != nil {
		t.Error(err)
	}
	_ = p.Stop(grace)
	server.Close()
	p, log := start(t, "echo no more room; exit 3")
	err := p.UntilReady(t.Context(), http.DefaultClient, server.URL)
	for _, want := range []string{"exit status 3", "no more room", log} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
}
