package app

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func TestServeMetrics(t *testing.T) {
	logger := slog.New(slog.DiscardHandler)
	if _, _, err := ServeMetrics(MetricsConfig{Listen: "0.0.0.0:0"}, prometheus.NewRegistry(), logger); err == nil {
		t.Error("metrics are open to other machines")
	}
	const token = "0123456789012345678901234567890123456789012"
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(prometheus.NewCounter(prometheus.CounterOpts{Name: "klaxon_things_total", Help: "Things."}))
	address, stop, err := ServeMetrics(MetricsConfig{Listen: "127.0.0.1:0", TokenFile: file}, registry, logger)
	if err != nil {
		t.Fatal(err)
	}
	f := func(path, token string, code int, want string) {
		t.Helper()
		req, err := http.NewRequest(http.MethodGet, "http://"+address+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		text, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != code || !strings.Contains(string(text), want) {
			t.Errorf("%s: %d %s %v, want %d %q", path, resp.StatusCode, text, err, code, want)
		}
	}
	f("/metrics", token, http.StatusOK, "klaxon_things_total 0")
	f("/metrics", "another", http.StatusUnauthorized, "token")
	f("/readyz", "", http.StatusOK, "")
	stop()
	if c, err := net.Dial("tcp", address); err == nil {
		_ = c.Close()
		t.Error("it listens after it was stopped")
	}
}
