package engine_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/klaxon-dev/klaxon/store/engine"
	"github.com/klaxon-dev/klaxon/store/engine/enginetest"
)

// childPID finds the engine's process by its current directory.
func childPID(t *testing.T, dir string) int {
	t.Helper()
	processes, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range processes {
		if cwd, err := os.Readlink(link); err == nil && cwd == filepath.Join(dir, "work") {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(link)))
			if err != nil {
				t.Fatal(err)
			}
			return pid
		}
	}
	t.Fatalf("no process runs in %s", dir)
	return 0
}

func kill(t *testing.T, pid int) {
	t.Helper()
	process, err := os.FindProcess(pid)
	if err == nil {
		err = process.Kill()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestKilledEngineComesBackWithItsData(t *testing.T) {
	dir := enginetest.Dir(t)
	config := enginetest.Config(t, dir)
	registry := prometheus.NewRegistry()
	config.Registerer = registry
	s := enginetest.Supervise(t, config)
	conn := open(t, s.Options())
	exec(t, conn, numbersTable)
	var acknowledged uint64
	for round := range uint64(3) {
		if err := insertNumbers(t, conn, round*1000, round*1000+1000, ""); err != nil {
			t.Fatal(err)
		}
		acknowledged += 1000
		kill(t, childPID(t, dir))
		until(t, "the engine's end is seen", func() bool {
			return s.Healthy() != nil || metric(t, registry, "klaxon_engine_restarts_total") == float64(round+1)
		})
		until(t, "the engine is back", func() bool { return s.Healthy() == nil && conn.Ping(background(t)) == nil })
		if n := count(t, conn, "SELECT count() FROM klaxon.numbers"); n != acknowledged {
			t.Errorf("%d rows after a kill, %d were acknowledged", n, acknowledged)
		}
	}
	if n := metric(t, registry, "klaxon_engine_restarts_total"); n != 3 {
		t.Errorf("%v restarts, want 3", n)
	}
	if up := metric(t, registry, "klaxon_engine_up"); up != 1 {
		t.Errorf("up is %v", up)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if problems, err := promlint.NewWithMetricFamilies(families).Lint(); err != nil || len(problems) > 0 {
		t.Errorf("metrics: %v, %v", problems, err)
	}
}

// A child that is stopped neither answers nor ends: it is noticed, killed and
// replaced, with all that was acknowledged.
func TestHungEngineIsReplaced(t *testing.T) {
	dir := enginetest.Dir(t)
	config := enginetest.Config(t, dir)
	registry := prometheus.NewRegistry()
	config.Registerer, config.Ping = registry, 500*time.Millisecond
	s := enginetest.Supervise(t, config)
	conn := open(t, s.Options())
	exec(t, conn, numbersTable)
	if err := insertNumbers(t, conn, 0, 1000, ""); err != nil {
		t.Fatal(err)
	}
	pid := childPID(t, dir)
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	until(t, "the hang is seen", func() bool { return s.Healthy() != nil })
	if err := s.Healthy(); !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("healthy says %v", err)
	}
	if up := metric(t, registry, "klaxon_engine_up"); up != 0 {
		t.Errorf("up is %v", up)
	}
	until(t, "another engine answers", func() bool { return s.Healthy() == nil && conn.Ping(background(t)) == nil })
	if n := count(t, conn, "SELECT count() FROM klaxon.numbers"); n != 1000 {
		t.Errorf("%d rows, 1000 were acknowledged", n)
	}
	if childPID(t, dir) == pid {
		t.Error("it is the same process")
	}
	for name, least := range map[string]float64{"klaxon_engine_unanswered_pings_total": 3, "klaxon_engine_restarts_total": 1} {
		if n := metric(t, registry, name); n < least {
			t.Errorf("%s is %v, want at least %v", name, n, least)
		}
	}
}

func metric(t *testing.T, registry *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			m := f.GetMetric()[0]
			return m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}

func TestStopEndsTheChild(t *testing.T) {
	dir := enginetest.Dir(t)
	config := enginetest.Config(t, dir)
	s := enginetest.Supervise(t, config)
	conn := open(t, s.Options())
	exec(t, conn, numbersTable)
	if err := insertNumbers(t, conn, 0, 10, ""); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Stop(background(t)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Healthy(); !errors.Is(err, engine.ErrStopped) {
		t.Errorf("healthy says %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "engine.sock")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
	config.Registerer = prometheus.NewRegistry()
	again := open(t, enginetest.Supervise(t, config).Options())
	if n := count(t, again, "SELECT count() FROM klaxon.numbers"); n != 10 {
		t.Errorf("%d rows after a stop", n)
	}
}

func TestStopEndsRunningStatements(t *testing.T) {
	s := enginetest.Supervise(t, enginetest.Config(t, enginetest.Dir(t)))
	conn := open(t, s.Options())
	ended := make(chan error, 1)
	go func() { ended <- conn.Exec(background(t), endless) }()
	until(t, "the statement runs", func() bool { return runs(t, conn) == 1 })
	if err := s.Stop(background(t)); err != nil {
		t.Error(err)
	}
	if err := <-ended; err == nil {
		t.Error("an endless statement ended well")
	}
}

func TestStopKillsInTheEnd(t *testing.T) {
	dir := enginetest.Dir(t)
	s := enginetest.Supervise(t, enginetest.Config(t, dir))
	conn := open(t, s.Options())
	go func() { _ = conn.Exec(context.Background(), endless) }()
	until(t, "the statement runs", func() bool { return runs(t, conn) == 1 })
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if err := s.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("stop: %v", err)
	}
	if err := conn.Ping(background(t)); err == nil {
		t.Error("the engine still answers")
	}
}

// TestSecondEngineWaitsForTheFirst is a restart while the old engine closes.
func TestSecondEngineWaitsForTheFirst(t *testing.T) {
	dir := enginetest.Dir(t)
	config := enginetest.Config(t, dir)
	first := enginetest.Supervise(t, config)
	exec(t, open(t, first.Options()), numbersTable)
	config.Registerer = prometheus.NewRegistry()
	second := make(chan *engine.Supervisor, 1)
	go func() {
		s, err := engine.Start(background(t), config)
		if err != nil {
			t.Error(err)
		}
		second <- s
	}()
	select {
	case <-second:
		t.Fatal("the second did not wait")
	case <-time.After(500 * time.Millisecond):
	}
	if err := first.Stop(background(t)); err != nil {
		t.Fatal(err)
	}
	s := <-second
	if s == nil {
		t.FailNow()
	}
	if n := count(t, open(t, s.Options()), "SELECT count() FROM klaxon.numbers"); n != 0 {
		t.Errorf("%d rows", n)
	}
	if err := s.Stop(background(t)); err != nil {
		t.Error(err)
	}
}

// logBuffer is a log that can be read while it is written.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func TestStartSaysWhatWentWrong(t *testing.T) {
	noFile := filepath.Join(t.TempDir(), "none.so")
	empty := filepath.Join(t.TempDir(), "empty.so")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*engine.SupervisorConfig)
		want   string
	}{
		"no library":      {func(c *engine.SupervisorConfig) { c.Library = noFile }, "none.so"},
		"no real library": {func(c *engine.SupervisorConfig) { c.Library = empty }, "load the engine"},
		"little memory":   {func(c *engine.SupervisorConfig) { c.Memory = 1000 }, "too little"},
		"long socket":     {func(c *engine.SupervisorConfig) { c.Socket = "/" + strings.Repeat("x", 200) }, "longer than"},
		"no program":      {func(c *engine.SupervisorConfig) { c.Command = []string{noFile} }, "start the engine process"},
		"no child":        {func(c *engine.SupervisorConfig) { c.Command = []string{"/bin/false"} }, "exit status 1"},
		"no path":         {func(c *engine.SupervisorConfig) { c.Path = "" }, "path"},
		"a file as path":  {func(c *engine.SupervisorConfig) { c.Path = empty }, "not a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			config := enginetest.Config(t, enginetest.Dir(t))
			c.change(&config)
			s, err := engine.Start(background(t), config)
			if err == nil {
				_ = s.Stop(background(t))
				t.Fatal("it started")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %q, want one about %q", err, c.want)
			}
		})
	}
}

func TestPasswordStaysSecret(t *testing.T) {
	dir := enginetest.Dir(t)
	config := enginetest.Config(t, dir)
	var log logBuffer
	config.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s := enginetest.Supervise(t, config)
	options := s.Options()
	conn := open(t, options)
	wantCode(t, "an error", conn.Exec(background(t), "SELEC"), 62)
	pid := childPID(t, dir)
	for _, file := range []string{"cmdline", "environ"} {
		text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), file))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte(options.Auth.Password)) {
			t.Errorf("%s of the child holds the password", file)
		}
	}
	if err := s.Stop(background(t)); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(log.String(), options.Auth.Password) {
		t.Error("the log holds the password")
	}
}

func TestDataIsPrivate(t *testing.T) {
	dir := enginetest.Dir(t)
	enginetest.Supervise(t, enginetest.Config(t, dir))
	for name, want := range map[string]os.FileMode{"": 0o700, "data": 0o700, "work": 0o700, "engine.sock": 0o600, "users.xml": 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%q has mode %o, want %o", name, got, want)
		}
	}
}

func TestEngineKeepsItsLimits(t *testing.T) {
	conn := start(t)
	for name, want := range map[string]string{"max_server_memory_usage": "1073741824", "mark_cache_size": "67108864", "background_pool_size": "2"} {
		if n := count(t, conn, "SELECT count() FROM system.server_settings WHERE name = {n:String} AND value = {v:String}",
			clickhouse.Named("n", name), clickhouse.Named("v", want)); n != 1 {
			t.Errorf("%s is not %s", name, want)
		}
	}
	for _, name := range []string{"fsync_after_insert", "fsync_part_directory"} {
		if n := count(t, conn, "SELECT count() FROM system.merge_tree_settings WHERE name = {n:String} AND value = '1'", clickhouse.Named("n", name)); n != 1 {
			t.Errorf("%s is off", name)
		}
	}
}
