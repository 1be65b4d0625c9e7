package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func readConfig(t *testing.T, text string) (Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "klaxon.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, _, err := ReadConfig(path, t.TempDir(), nil)
	return c, err
}

func TestDefaultsAreKept(t *testing.T) {
	t.Setenv("KLAXON_TEST_DB", "other")
	c, err := readConfig(t, "store: {database: \"${KLAXON_TEST_DB}\", batch: {rows: 7}}\nmetrics: {listen: '127.0.0.1:1'}\n")
	if err != nil {
		t.Fatal(err)
	}
	if c.Store.Database != "other" || c.Store.Batch.Rows != 7 || c.Metrics.Listen != "127.0.0.1:1" {
		t.Errorf("what was set is not: %+v", c.Store)
	}
	if c.Store.Retention != 8760*time.Hour || c.Store.Batch.Wait != time.Second || c.Stream.Kind != "local" || c.Ingest.Listen == "" {
		t.Errorf("defaults are gone: %+v", c.Store)
	}
	for _, text := range []string{"# nothing\n", "", "store:\nmetrics: {listen: '127.0.0.1:1'}\n"} {
		empty, err := readConfig(t, text)
		if err != nil || empty.Store.Database != "klaxon" {
			t.Errorf("%q: %+v, %v", text, empty.Store, err)
		}
	}
}

func TestConfigurationMistakes(t *testing.T) {
	f := func(text string, wants ...string) {
		t.Helper()
		_, err := readConfig(t, text)
		for _, want := range wants {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v, want %q", text, err, want)
			}
		}
	}
	f("nope: 1", `unknown field "nope"`)
	f("store: {retentoin: 1h}", `unknown field "retentoin"`)
	f("store: {retention: soon}", `"soon" is no duration such as 90s`)
	f("a: [", "configuration")
	f("store: {dsn: '${KLAXON_NOT_SET_1}${KLAXON_NOT_SET_2}'}", "KLAXON_NOT_SET_1, KLAXON_NOT_SET_2")
	f("metrics: {listen: '0.0.0.0:9445'}\nlog: {level: loud}\nstream: {kind: kafka9}",
		"set metrics.token_file", "log.level", "stream.kind")
	f("store: {kind: clickhouse}", "store.dsn")
	f("ingest: {instance: a}", "redaction.key_file", "give all of them one key")
	f("redaction: {redact: [{resource: configmaps, paths: [data..a]}, {resource: Pod}]}",
		`redaction.redact[0].paths[0]: "data..a", character 6`, `redaction.redact[1].resource: "Pod"`)
	f("redaction: {redact: [{resources: configmaps}]}", `unknown field "resources"`)
}

// What a variable holds is not told with a mistake beside it.
func TestMistakesDoNotTellVariables(t *testing.T) {
	t.Setenv("KLAXON_TEST_DSN", "clickhouse://u:hunter2@db")
	for _, text := range []string{
		"store:\n  dsn: ${KLAXON_TEST_DSN}\n  nope: 1\n",
		"store:\n  nope: 1\n  dsn: ${KLAXON_TEST_DSN}\n",
		"store:\n  nope: ${KLAXON_TEST_DSN}\n",
		"store: [\n  dsn: ${KLAXON_TEST_DSN}\n",
		"ingest:\n  senders: ${KLAXON_TEST_DSN}\n",
		"ingest:\n  limits: {connections: \"${KLAXON_TEST_DSN}\"}\n",
	} {
		_, err := readConfig(t, text)
		if err == nil || !strings.Contains(err.Error(), "klaxon.yaml: [") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestRedactionRules(t *testing.T) {
	c, err := readConfig(t, `
ingest: {instance: a}
redaction:
  key_file: /etc/klaxon/redaction.key
  redact:
    - resource: configmaps
      paths: [data.*]
    - resource: databases.example.com
      paths: [spec.password, 'spec.users[*]."pass.word"']
    - {resource: "*", paths: ["spec.*[*].env[*].value"]}
`)
	if err != nil {
		t.Fatal(err)
	}
	if rules := c.Redaction.Redact; len(rules) != 3 || rules[1].Resource != "databases.example.com" || len(rules[1].Paths) != 2 {
		t.Errorf("rules: %+v", rules)
	}
}

func TestRoles(t *testing.T) {
	const kafka = "stream: {kind: kafka, kafka: {brokers: ['127.0.0.1:9092']}}\n"
	f := func(text string, wants ...string) {
		t.Helper()
		_, err := readConfig(t, text)
		if len(wants) == 0 && err != nil {
			t.Errorf("%q: %v", text, err)
		}
		for _, want := range wants {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v, want %q", text, err, want)
			}
		}
	}
	f("roles: [ingest, match, window, store, api]")
	f("roles: [ingest]", "the local log belongs to one process")
	f(kafka + "roles: [match, window]")
	f(kafka+"roles: [alert, match, match]", `there is no role "alert": there are ingest, match, window, store, api`, "match is named twice")
	f(kafka+"roles: [ingest]", "redaction.key_file", "ingest.instance")
	f(kafka+"redaction: {key_file: k}\nroles: [api]", "the embedded engine belongs to one process")
	f(kafka + "redaction: {key_file: k}\nroles: [store, api]")
	f(kafka + "redaction: {key_file: k}\ningest: {instance: a}")
	f("stream: {kind: kafka}", "stream.kafka.brokers")
	f(kafka+"roles: [match]\ningest: {limits: {dead_letter_bytes: 8388608}}", "stream.kafka.max_record_bytes: 8388608 is too little")
	f(kafka + "redaction: {key_file: k}\ningest: {instance: a}\nspool: {dir: spool}")
	f(kafka + "roles: [match]\nspool: {dir: spool}") // one file for all roles
	f(kafka+"redaction: {key_file: k}\ningest: {instance: a}\nspool: {dir: spool, after: 5m}", "spool.after: 5m0s")
	f("spool: {dir: spool}", "spool.dir: the local log is on this machine's disk itself")
	f("spool: {after: 1m}", "spool.dir: is not set")
	if _, err := ParseRoles("match, window,nope"); err == nil || !strings.Contains(err.Error(), `"nope"`) {
		t.Errorf("ParseRoles: %v", err)
	}
}

// Other commands trust the development CA only where serve made the certificate.
func TestSigners(t *testing.T) {
	f := func(api, webhook, wantAPI, wantWebhook string) {
		t.Helper()
		c := Config{}
		c.API.TLS.CertFile, c.Ingest.TLS.CertFile = api, webhook
		if gotAPI, gotWebhook := c.signers("dev"); gotAPI != wantAPI || gotWebhook != wantWebhook {
			t.Errorf("certificates %q and %q: signed by %q and %q, want %q and %q", api, webhook, gotAPI, gotWebhook, wantAPI, wantWebhook)
		}
	}
	f("", "", "dev", "dev")
	f("api.crt", "", "", "dev")
	f("", "webhook.crt", "dev", "")
	f("api.crt", "webhook.crt", "", "")
}
