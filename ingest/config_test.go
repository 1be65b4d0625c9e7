package ingest

import (
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
)

func parseConfig(t *testing.T, text string) Config {
	t.Helper()
	var c Config
	if err := yaml.UnmarshalWithOptions([]byte(text), &c, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	c.SetDefaults()
	return c
}

func TestConfigDefaultsAreValid(t *testing.T) {
	c := parseConfig(t, "{}")
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	if c.Listen != "127.0.0.1:9443" || c.Limits.EventBytes != 1<<20 || c.Limits.ItemBytes != 48<<20 || c.Heartbeat != 10*time.Second {
		t.Errorf("defaults: %+v", c)
	}
}

func TestConfigReadsYAML(t *testing.T) {
	c := parseConfig(t, `
listen: 0.0.0.0:443
tls: {cert_file: c, key_file: k, client_ca_file: ca}
heartbeat: 30s
senders:
- {cluster: prod-1, token_file: /etc/klaxon/prod-1}
- {cluster: prod-1, name: prod-1-cert, client_name: apiserver}
limits: {request_timeout: 20s, sender_held_bytes: 100000000}
`)
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	want := []SenderConfig{
		{Cluster: "prod-1", Name: "prod-1", TokenFile: "/etc/klaxon/prod-1"},
		{Cluster: "prod-1", Name: "prod-1-cert", ClientName: "apiserver"},
	}
	if diff := cmp.Diff(want, c.Senders); diff != "" {
		t.Error(diff)
	}
	if c.Limits.RequestTimeout != 20*time.Second || c.Limits.SenderHeldBytes != 100_000_000 || c.Limits.HeldBytes != 512<<20 {
		t.Errorf("limits: %+v", c.Limits)
	}
}

func TestConfigRefuses(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		c := parseConfig(t, text)
		err := c.Validate()
		if err == nil {
			t.Errorf("%s: accepted", text)
			return
		}
		if got := strings.Count(err.Error(), "\n") + 1; got != len(want) {
			t.Errorf("%s: %d problems, want %d: %v", text, got, len(want), err)
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: got %v, want it to say %q", text, err, w)
			}
		}
	}
	f("listen: here", "ingest.listen")
	f("instance: A/b", "ingest.instance")
	f("tls: {cert_file: c}", "come together")
	f("heartbeat: 1ms", "ingest.heartbeat")
	f("senders: [{cluster: Prod, token_file: x}]", "not a cluster name")
	f("senders: [{cluster: a}]", "either token_file or client_name")
	f("senders: [{cluster: a, token_file: x, client_name: y}]", "either token_file or client_name", "client_ca_file")
	f("senders: [{cluster: a, token_file: x}, {cluster: a, token_file: y}]", `another sender is named "a"`)
	f("{tls: {client_ca_file: ca}, senders: [{cluster: a, client_name: y}, {cluster: b, client_name: y}]}", `another sender has "y"`)
	f("limits: {event_bytes: -1}", "event_bytes")
	f("limits: {event_bytes: 65535}", "event_bytes: must be at least 65536")
	f("limits: {item_bytes: 1000}", "item_bytes")
	f("limits: {sender_held_bytes: 1000}", "sender_held_bytes")
	f("limits: {held_bytes: 1000}", "held_bytes")
	f("limits: {connections: -1, header_timeout: -1s}", "connections", "header_timeout")
	f("{listen: here, heartbeat: 1ms}", "ingest.listen", "ingest.heartbeat")
}

func TestCheckCluster(t *testing.T) {
	for _, name := range []string{"a", "prod-1", "0", strings.Repeat("a", 63)} {
		if err := CheckCluster(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", "-a", "a-", "A", "a.b", "a/b", "..", "a\n", "é", strings.Repeat("a", 64)} {
		if err := CheckCluster(name); err == nil {
			t.Errorf("%q is accepted", name)
		}
	}
}
