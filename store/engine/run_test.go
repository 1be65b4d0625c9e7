package engine_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/klaxon-dev/klaxon/internal/secretfile"
	"github.com/klaxon-dev/klaxon/store/engine"
	"github.com/klaxon-dev/klaxon/store/engine/enginetest"
)

// running is a Run within the test's own process.
type running struct {
	ready engine.Readiness
	ended chan error
}

func run(t *testing.T, ctx context.Context, c engine.Config) running {
	t.Helper()
	t.Chdir(t.TempDir()) // Run changes it: this puts it back
	c.Library = enginetest.Config(t, c.Path).Library
	c.Logger = slog.New(slog.DiscardHandler)
	lines, out := io.Pipe()
	c.Ready = out
	r := running{ended: make(chan error, 1)}
	go func() {
		err := engine.Run(ctx, c)
		out.CloseWithError(err)
		r.ended <- err
	}()
	line, err := bufio.NewReader(lines).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(line), &r.ready); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRunByItself(t *testing.T) {
	ctx, cancel := context.WithCancel(background(t))
	defer cancel()
	dir := filepath.Join(enginetest.Dir(t), "a & <b>")
	r := run(t, ctx, engine.Config{Path: dir, Listen: "127.0.0.1:0", Memory: 1 << 30})
	if !r.ready.Ready || r.ready.Network != "tcp" || r.ready.Version == "" || r.ready.PasswordFile != filepath.Join(dir, "password") {
		t.Errorf("readiness %+v", r.ready)
	}
	password, err := secretfile.Read(r.ready.PasswordFile)
	if err != nil {
		t.Fatal(err)
	}
	conn := open(t, &clickhouse.Options{
		Protocol: clickhouse.HTTP, Addr: []string{r.ready.Address}, Auth: clickhouse.Auth{Username: engine.User, Password: password},
	})
	if n := count(t, conn, "SELECT count() FROM numbers(3)"); n != 3 {
		t.Errorf("%d rows", n)
	}
	cancel()
	if err := <-r.ended; err != nil {
		t.Errorf("run ended with %v", err)
	}
}

func TestRunEndsWithItsLease(t *testing.T) {
	lease, parent := io.Pipe()
	dir := enginetest.Dir(t)
	r := run(t, background(t), engine.Config{Path: dir, Listen: "unix:" + filepath.Join(dir, "s"), Password: "secret", Lease: lease})
	if r.ready.Network != "unix" || r.ready.PasswordFile != "" {
		t.Errorf("readiness %+v", r.ready)
	}
	parent.Close()
	if err := <-r.ended; err != nil {
		t.Errorf("run ended with %v", err)
	}
}

func TestRunChildRefusesOtherInstructions(t *testing.T) {
	for _, text := range []string{"", "no JSON\n", "{}", "{}\n", `{"library":"x"}` + "\n", strings.Repeat("x", 100_000) + "\n"} {
		err := engine.RunChild(background(t), strings.NewReader(text), io.Discard, io.Discard)
		if err == nil || strings.Contains(err.Error(), "no JSON\n") {
			t.Errorf("%.20q: error %v", text, err)
		}
	}
}

func TestIdleConnectionsSurviveARestart(t *testing.T) {
	dir := enginetest.Dir(t)
	s := enginetest.Supervise(t, enginetest.Config(t, dir))
	c := newClient(s.Options())
	c.http.Transport.(*http.Transport).DisableKeepAlives = false
	c.post(t, "SELECT 1").want(t, "first", http.StatusOK, "")
	kill(t, childPID(t, dir))
	until(t, "the engine is back", func() bool {
		response, err := c.http.Get("http://localhost/ping")
		if err != nil {
			return false
		}
		return response.Body.Close() == nil && response.StatusCode == http.StatusOK
	})
	c.post(t, "SELECT 1").want(t, "after the restart", http.StatusOK, "")
}
