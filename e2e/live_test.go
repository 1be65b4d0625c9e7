package e2e_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klaxon-dev/klaxon/e2e/attack"
	"github.com/klaxon-dev/klaxon/e2e/kube"
	"github.com/klaxon-dev/klaxon/e2e/load"
	"github.com/klaxon-dev/klaxon/e2e/serve"
)

const (
	cluster = "live"

	loadRate     = 8 // actions a second
	stepPause    = 700 * time.Millisecond
	kills        = 2
	inTime       = 2 * time.Second // from the POST to the finding
	wantInTime   = 40              // steps
	drainTimeout = time.Minute
)

// TestLive has a real API server post to serve through its own webhook while an
// attack goes on and serve is killed twice. Afterwards the store holds the API
// server's own audit log, event for event, and most steps of the attack were
// found within seconds.
func TestLive(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	s, c := startBoth(ctx, t)
	api, err := s.Client()
	if err != nil {
		t.Fatal(err)
	}
	lab, err := attack.Prepare(ctx, c)
	if err != nil {
		t.Fatal(err)
	}

	endLoad := startLoad(ctx, t, c)
	found := newArrivals()
	endWatch := background(ctx, func(ctx context.Context) { found.watch(ctx, api) })
	defer endWatch()

	results, outages := runAttack(ctx, t, lab, s)
	all := compare(ctx, t, c, s, api, time.Now())
	endWatch()
	endLoad()
	checkOutages(t, outages, all)
	if n := printSteps(t.Output(), results, found, all); n < wantInTime {
		t.Errorf("%d steps were found within %v, want %d", n, inTime, wantInTime)
	}
}

// startBoth starts serve, then a control plane that sends to it.
func startBoth(ctx context.Context, t *testing.T) (*serve.Serve, *kube.Cluster) {
	t.Helper()
	s, err := serve.New(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop(t, s.Stop)
		showEnd(t, s.Log)
	})
	webhook, err := s.Sender(ctx, cluster)
	if err != nil {
		t.Fatal(err)
	}
	c, err := kube.Start(ctx, kube.Options{
		Dir: t.TempDir(), Policy: "policy.yaml", Webhook: webhook,
		Flags: []string{
			"--audit-webhook-mode=batch", "--audit-webhook-batch-max-wait=1s",
			"--audit-webhook-initial-backoff=2s", // a batch is tried five times, for 16 s in all
		},
		Controllers: true, Scheduler: true, Nodes: 2,
		Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, c.Stop) }) // before serve, which it posts to until its end
	return s, c
}

// startLoad has people and programs without evil intent do their work, until the
// returned function is called.
func startLoad(ctx context.Context, t *testing.T, c *kube.Cluster) (end func()) {
	t.Helper()
	l, err := load.Prepare(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	var stats load.Stats
	stop := background(ctx, func(ctx context.Context) { stats, err = l.Run(ctx, load.Options{Rate: loadRate, Seed: 1}) })
	t.Cleanup(stop) // where the test ends early
	return func() {
		stop()
		if err != nil || stats.Failed > 0 {
			t.Errorf("load: %v, %d actions failed: %v", err, stats.Failed, stats.Errors)
		}
		t.Logf("%d actions of load went on meanwhile", stats.Actions)
	}
}

// background runs f until end is called, which waits for it. It may be called
// again.
func background(ctx context.Context, f func(context.Context)) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

func stop(t *testing.T, stop func() error) {
	t.Helper()
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// showEnd prints the end of a log when the test failed.
func showEnd(t *testing.T, path string) {
	t.Helper()
	if !t.Failed() {
		return
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
		return
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	t.Logf("the end of %s:\n%s", filepath.Base(path), strings.Join(lines[max(0, len(lines)-40):], "\n"))
}
