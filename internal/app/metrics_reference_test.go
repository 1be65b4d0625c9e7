package app

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/klaxon-dev/klaxon/ingest/tail"
	"github.com/klaxon-dev/klaxon/internal/secretfile"
	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/store/engine"
	"github.com/klaxon-dev/klaxon/stream/kafka"
	"github.com/klaxon-dev/klaxon/stream/kafka/kafkatest"
)

const metricsHeader = `# Metrics

` + "`serve` answers `/metrics` at `metrics.listen`, `klaxon tail` at `--metrics`. `deploy/` has a dashboard and alert rules." + `

<!-- Generated from what processes register: go test ./internal/app -run Reference -update -->
`

// The reference of the metrics is made of what running processes register. The
// checks of deploy/ go by it.
func TestMetricsReference(t *testing.T) {
	var b strings.Builder
	b.WriteString(metricsHeader)
	seen := map[string]bool{}
	writeMetrics(t, &b, seen, "klaxon serve", serveRegistry(t, ""))
	writeMetrics(t, &b, seen, "klaxon serve, with the log in Kafka", serveRegistry(t, kafkaSection(t)))
	writeMetrics(t, &b, seen, "klaxon tail", tailRegistry(t))
	got := b.String()
	const golden = "../../docs/metrics.md"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("docs/metrics.md is out of date: run 'go test ./internal/app -run Reference -update' (-want +got):\n%s", diff)
	}
}

// description takes apart how a metric is described.
var description = regexp.MustCompile(`^Desc\{fqName: "(klaxon_[a-z0-9_]+)", help: (".*"), constLabels: \{\}, variableLabels: \{([a-z_,]*)\}`)

// writeMetrics writes the metrics of a registry that were not written before.
func writeMetrics(t *testing.T, b *strings.Builder, seen map[string]bool, title string, r *prometheus.Registry) {
	t.Helper()
	descriptions := make(chan *prometheus.Desc)
	go func() { r.Describe(descriptions); close(descriptions) }()
	var lines []string
	for d := range descriptions {
		m := description.FindStringSubmatch(d.String())
		if m == nil {
			continue // of the process or the Go runtime
		}
		var help string
		if _, err := fmt.Sscanf(m[2], "%q", &help); err != nil {
			t.Fatalf("%s: %v", d, err)
		}
		line := fmt.Sprintf("| `%s` | %s | %s |\n", m[1], strings.ReplaceAll(m[3], ",", ", "), help)
		if !seen[line] {
			seen[line] = true
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		t.Errorf("%s registers nothing", title)
	}
	slices.Sort(lines)
	fmt.Fprintf(b, "\n## %s\n\n| metric | labels | is |\n|---|---|---|\n%s", title, strings.Join(slices.Compact(lines), ""))
}

// serveRegistry runs serve and returns what it has registered. With a section
// stream it runs the roles that need no store.
func serveRegistry(t *testing.T, stream string) *prometheus.Registry {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute) // the engine may have to be fetched
	defer cancel()
	dir := t.TempDir()
	var roles Roles
	instance := ""
	if stream != "" {
		roles, instance = Roles{RoleIngest, RoleMatch, RoleWindow}, ", instance: one"
		key := filepath.Join(dir, "key")
		if _, err := secretfile.Ensure(key); err != nil {
			t.Fatal(err)
		}
		stream += fmt.Sprintf("redaction: {key_file: '%s'}\nspool: {dir: '%s'}\n", key, filepath.Join(dir, "spool"))
	} else if _, err := engine.Fetch(ctx, "", engine.FetchOptions{}); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "klaxon.yaml")
	text := "ingest: {listen: '127.0.0.1:0'" + instance + "}\napi: {listen: '127.0.0.1:0'}\nmetrics: {listen: '127.0.0.1:0'}\n" + stream
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	config, data, err := ReadConfig(file, filepath.Join(dir, "data"), roles)
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(ctx, config, Options{DataDir: data, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Stop(); err != nil {
			t.Error(err)
		}
	})
	return a.registry
}

// kafkaSection starts a broker with klaxon's topics.
func kafkaSection(t *testing.T) string {
	t.Helper()
	c := kafka.Config{Brokers: kafkatest.Start(t, 1).Bootstrap(), SingleBroker: true, Partitions: 1}
	if _, err := kafka.Init(t.Context(), c, topic.Layout(c.Partitions), kafka.InitOptions{}); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("stream: {kind: kafka, kafka: {brokers: ['%s'], single_broker: true, partitions: 1}}\n", c.Brokers[0])
}

// tailRegistry brings an empty file in.
func tailRegistry(t *testing.T) *prometheus.Registry {
	t.Helper()
	file := filepath.Join(t.TempDir(), "audit.log")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	state, err := tail.OpenState(filepath.Join(t.TempDir(), "state"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = state.Close() }()
	registry := prometheus.NewRegistry()
	if _, err := tail.Run(t.Context(), tail.Config{
		File: file, State: state, Once: true, Post: func(context.Context, []byte) error { return nil },
		Logger: slog.New(slog.DiscardHandler), Now: time.Now, Registerer: registry,
	}); err != nil {
		t.Fatal(err)
	}
	return registry
}
