package kafka

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/klaxon-dev/klaxon/stream/kafka/kafkatest"
)

// TestSecurity goes through all ways to log in, right and wrong, on one broker.
func TestSecurity(t *testing.T) {
	broker := kafkatest.StartSecure(t)
	topic := broker.Topic(t, 1)
	encrypted := TLSConfig{Enabled: true, CAFile: broker.CAFile}
	certified := TLSConfig{Enabled: true, CAFile: broker.CAFile, CertFile: broker.CertFile, KeyFile: broker.KeyFile}
	login := func(mechanism, passwordFile string) SASLConfig {
		return SASLConfig{Mechanism: mechanism, Username: broker.Username, PasswordFile: passwordFile}
	}
	plain, scram := login("PLAIN", broker.PasswordFile), login("SCRAM-SHA-512", broker.PasswordFile)
	wrongPassword := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(wrongPassword, []byte("tells-nobody"), 0o600); err != nil {
		t.Fatal(err)
	}
	otherName := encrypted
	otherName.ServerName = "kafka.example.com"

	f := func(name string, brokers []string, tls TLSConfig, sasl SASLConfig, want string) {
		t.Helper()
		c := Config{Brokers: brokers, TLS: tls, SASL: sasl}
		c.SetDefaults()
		if err := c.Validate(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		err := c.Preflight(t.Context())
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case want == "":
			checkReaches(t, name, &c, topic)
		case err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), brokers[0]):
			t.Errorf("%s: got %v, want %q and %s", name, err, want, brokers[0])
		case strings.Contains(err.Error(), "tells-nobody"):
			t.Errorf("%s: the error tells the password: %v", name, err)
		}
	}
	f("nothing", broker.Bootstrap(), TLSConfig{}, SASLConfig{}, "")
	f("PLAIN", broker.SASL, encrypted, plain, "")
	f("SCRAM", broker.SASL, encrypted, scram, "")
	f("a certificate", broker.Mutual, certified, SASLConfig{}, "")

	f("a wrong password by PLAIN", broker.SASL, encrypted, login("PLAIN", wrongPassword), `password of "klaxon"`)
	f("a wrong password by SCRAM", broker.SASL, encrypted, login("SCRAM-SHA-512", wrongPassword), `password of "klaxon"`)
	f("a mechanism that is not offered", broker.SASL, encrypted, login("SCRAM-SHA-256", broker.PasswordFile), "does not offer SCRAM-SHA-256")
	f("SASL where there is none", broker.Mutual, certified, scram, "does not offer SCRAM-SHA-512")
	f("nobody where SASL is", broker.SASL, encrypted, SASLConfig{}, "stream.kafka.sasl")
	f("an unknown authority", broker.SASL, TLSConfig{Enabled: true}, scram, "ca_file")
	f("another name", broker.SASL, otherName, scram, "server_name")
	f("no certificate", broker.Mutual, encrypted, SASLConfig{}, "cert_file")
	f("no TLS where it is", broker.SASL, TLSConfig{}, scram, "stream.kafka.tls")
	f("TLS where it is not", broker.Bootstrap(), encrypted, SASLConfig{}, "stream.kafka.tls")
}

// checkReaches holds that a client and a connection do what they are for.
func checkReaches(t *testing.T, name string, c *Config, topic string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	transport, err := c.Transport()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	defer transport.CloseIdleConnections()
	dialer, err := c.Dialer()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	w := &kafka.Writer{Addr: kafka.TCP(c.Brokers...), Topic: topic, Transport: transport, RequiredAcks: kafka.RequireAll, BatchTimeout: time.Millisecond}
	defer func() { _ = w.Close() }()
	if err := w.WriteMessages(ctx, kafka.Message{Value: []byte(name)}); err != nil {
		t.Errorf("%s: write: %v", name, err)
		return
	}
	conn, err := dialer.DialLeader(ctx, "tcp", c.Brokers[0], topic, 0)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	defer func() { _ = conn.Close() }()
	last, err := conn.ReadLastOffset()
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	if _, err := conn.Seek(last-1, kafka.SeekAbsolute); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if m, err := conn.ReadMessage(1 << 20); err != nil || string(m.Value) != name {
		t.Errorf("%s: read %q, %v", name, m.Value, err)
	}
}

// TestPreflightTellsAll holds that each broker's reason is told, that one that
// answers is enough, and that one that hangs does not hold it up for ever.
func TestPreflightTellsAll(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = gone.Close()
	c := Config{Brokers: []string{gone.Addr().String(), silent.Addr().String()}}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	err = c.Preflight(ctx)
	for _, want := range []string{c.Brokers[0], "connection refused", c.Brokers[1], "no answer"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	c.Brokers = append(c.Brokers[:1], shared.Cluster(t).Bootstrap()...)
	if err := c.Preflight(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestFiles holds that files are looked at before a broker is.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	open, empty := filepath.Join(dir, "open"), filepath.Join(dir, "empty")
	for path, mode := range map[string]os.FileMode{open: 0o644, empty: 0o600} {
		if err := os.WriteFile(path, nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	f := func(c Config, want string) {
		t.Helper()
		c.Brokers = []string{"127.0.0.1:1"}
		for _, err := range []error{second(c.Transport()), second(c.Dialer()), c.Preflight(t.Context())} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q", err, want)
			}
		}
	}
	f(Config{TLS: TLSConfig{Enabled: true, CAFile: filepath.Join(dir, "none")}}, "stream.kafka.tls: ca_file")
	f(Config{TLS: TLSConfig{Enabled: true, CAFile: empty}}, "holds no certificate")
	f(Config{TLS: TLSConfig{Enabled: true, CertFile: empty, KeyFile: open}}, "key_file")
	f(Config{TLS: TLSConfig{Enabled: true, CertFile: empty, KeyFile: empty}}, "certificate")
	f(Config{SASL: SASLConfig{Mechanism: "PLAIN", PasswordFile: open}}, "stream.kafka.sasl: password_file")
	f(Config{SASL: SASLConfig{Mechanism: "SCRAM-SHA-256", PasswordFile: empty}}, "is empty")
}

func second[T any](_ T, err error) error { return err }
