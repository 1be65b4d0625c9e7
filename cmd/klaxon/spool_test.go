package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/klaxon-dev/klaxon/stream/kafka/kafkatest"
)

const spoolConfig = config + `
stream: {kind: kafka, kafka: {brokers: [%q], prefix: %q, partitions: 3, single_broker: true, session_timeout: 6s}}
redaction: {key_file: %q}
spool: {dir: %q, after: %s}
`

// installOnKafka is installWith the log in Kafka, whose topics it makes, and with a
// spool that is used after some time.
func installOnKafka(t *testing.T, brokers *kafkatest.Cluster, prefix, after string) *installation {
	t.Helper()
	dir := t.TempDir()
	key := filepath.Join(dir, "redaction.key")
	if err := os.WriteFile(key, bytes.Repeat([]byte("k"), 32), 0o600); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(spoolConfig, brokers.Bootstrap()[0], prefix, key, filepath.Join(dir, "spool"), after)
	text = strings.Replace(text, "ingest: {", "ingest: {instance: one, ", 1)
	file := filepath.Join(dir, "klaxon.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(binary, "kafka", "init", "--config", file).CombinedOutput(); err != nil {
		t.Fatalf("kafka init: %v\n%s", err, out)
	}
	return installWith(t, text)
}

// The broker dies: API servers are told to come again, then events are spooled,
// also by a process that starts meanwhile. Whatever is killed, the store holds
// each event that was acknowledged once.
func TestSpool(t *testing.T) {
	brokers := kafkatest.Start(t, 1)
	i := installOnKafka(t, brokers, kafkatest.Name(t), "3s")
	bodies := posts(t)[:40]
	taken := func(bodies [][]byte) {
		t.Helper()
		for n, body := range bodies {
			if code := i.post(body); code != http.StatusOK {
				t.Fatalf("body %d was answered with %d", n, code)
			}
		}
	}
	taken(bodies[:10])

	brokers.Kill(t, 1)
	refused, longest := 0, time.Duration(0)
	i.until("events are spooled", func() error {
		began := time.Now()
		code, header := i.answer(bodies[10])
		longest = max(longest, time.Since(began))
		if code == http.StatusOK {
			return nil
		}
		refused++
		if after := header.Get("Retry-After"); code != http.StatusServiceUnavailable || after != "5" {
			t.Fatalf("answered with %d, Retry-After %q: want 503 and 5", code, after)
		}
		return errors.New("refused")
	})
	t.Logf("%d requests were refused, each within %v", refused, longest)
	if refused == 0 {
		t.Error("events were spooled at once")
	}
	taken(bodies[11:20])
	i.wantReady("spooling since ")
	i.stop(syscall.SIGKILL)

	i.start() // without a broker
	i.wantReady("spooling since ")
	taken(bodies[20:30])

	brokers.Restart(t, 1)
	i.stop(syscall.SIGKILL)
	i.start()
	taken(bodies[30:])
	i.until("the spool is drained", func() error {
		if spooling, err := i.sample("klaxon_spool_spooling"); err != nil || spooling != 0 {
			return fmt.Errorf("%v, %v", spooling, err)
		}
		return nil
	})
	if err := os.WriteFile(filepath.Join(i.dir, "data", "redaction.key"), bytes.Repeat([]byte("k"), 32), 0o600); err != nil {
		t.Fatal(err)
	}
	i.wantStored(i.ids(bodies))
	i.checkMetrics()
}

// wantReady wants serve to be ready, and to say so.
func (i *installation) wantReady(say string) {
	i.t.Helper()
	resp, err := http.Get(strings.TrimSuffix(i.said("metrics"), "/metrics") + "/readyz")
	if err != nil {
		i.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(text), say) {
		i.t.Errorf("ready: %s, %v: %s, want %q", resp.Status, err, text, say)
	}
}
