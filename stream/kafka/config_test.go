package kafka

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
)

// read reads a section as serve does.
func read(t *testing.T, text string) Config {
	t.Helper()
	var c Config
	if err := yaml.NewDecoder(bytes.NewReader([]byte(text)), yaml.Strict()).Decode(&c); err != nil {
		t.Fatal(err)
	}
	c.SetDefaults()
	return c
}

func TestDefaults(t *testing.T) {
	want := Config{
		Brokers: []string{"kafka:9092"}, Prefix: "klaxon", Partitions: 12, Replication: 3, MinInsyncReplicas: 2,
		Retention: 168 * time.Hour, MaxRecordBytes: 8 << 20, Compression: "zstd",
		MaxInFlightBytes: 64 << 20, SessionTimeout: 10 * time.Second,
	}
	got := read(t, "brokers: ['kafka:9092']")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	want.SingleBroker, want.Replication, want.MinInsyncReplicas = true, 1, 1
	if diff := cmp.Diff(want, read(t, "{brokers: ['kafka:9092'], single_broker: true}")); diff != "" {
		t.Error(diff)
	}
	if name := got.Topic("events"); name != "klaxon.events" {
		t.Errorf("topic %s", name)
	}
}

func TestValidate(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		c := read(t, text)
		if !strings.Contains(text, "brokers:") {
			c.Brokers = []string{"kafka:9092"}
		}
		err := c.Validate()
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", text, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
	f("{}", "")
	f("brokers: []", "name at least one broker")
	f("brokers: [kafka]", `"kafka" is not host:port`)
	f("max_in_flight_bytes: 1000000", "less than one record may have")
	f("session_timeout: 1s", "not between 6s and 5m")
	f("brokers: ['kafka:0']", "is not host:port")
	f("brokers: [':9092']", "is not host:port")
	f("prefix: _klaxon", "is not a prefix")
	f("prefix: prod.klaxon-2", "")
	f("partitions: -1", "not between 1 and 4096")
	f("replication: 2", "loss of one broker stops klaxon")
	f("min_insync_replicas: 1", "loses acknowledged records")
	f("min_insync_replicas: 3", "use 2")
	f("{replication: 5, min_insync_replicas: 6}", "the replication, 5")
	f("{replication: 1, min_insync_replicas: 1, single_broker: true}", "")
	f("{replication: 2, single_broker: true}", "")
	f("retention: 1h", "less than 24h")
	f("max_record_bytes: 1000", "max_record_bytes")
	f("compression: brotli", "compression")
	f("tls: {ca_file: ca.pem}", "enabled: true")
	f("tls: {enabled: true, cert_file: c.pem}", "come together")
	f("sasl: {username: klaxon}", "mechanism: is not set")
	f("sasl: {mechanism: GSSAPI}", `"GSSAPI" is not`)
	f("sasl: {mechanism: SCRAM-SHA-512}", "needs username and password_file")
	f("sasl: {mechanism: PLAIN, username: u, password_file: f}", "unencrypted")
	f("{brokers: ['127.0.0.1:9092', '[::1]:9092', 'localhost:1'], sasl: {mechanism: PLAIN, username: u, password_file: f}}", "")
	f("{tls: {enabled: true}, sasl: {mechanism: PLAIN, username: u, password_file: f}}", "")
}

// TestValidateTellsAll holds that no mistake hides another.
func TestValidateTellsAll(t *testing.T) {
	c := read(t, "{prefix: _, partitions: -1, compression: x, tls: {ca_file: x}, sasl: {mechanism: x}}")
	err := c.Validate()
	if err == nil {
		t.Fatal("no error")
	}
	if lines := strings.Split(err.Error(), "\n"); len(lines) != 6 {
		t.Errorf("%d sentences, want 6:\n%v", len(lines), err)
	}
}
