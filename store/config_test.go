package store

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestDefaultConfigIsValid(t *testing.T) {
	c := DefaultConfig()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}

func TestConfigValidate(t *testing.T) {
	f := func(want string, change func(*Config)) {
		t.Helper()
		c := DefaultConfig()
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
	f("store.kind", func(c *Config) { c.Kind = "duckdb" })
	f("store.dsn", func(c *Config) { c.DSN = "clickhouse://host" })
	f("either store.dsn or store.dsn_file", func(c *Config) { c.Kind = KindClickHouse })
	f("either store.dsn or store.dsn_file", func(c *Config) { c.Kind, c.DSN, c.DSNFile = KindClickHouse, "x", "y" })
	f("store.database", func(c *Config) { c.Database = "klaxon; DROP DATABASE klaxon" })
	f("store.database", func(c *Config) { c.Database = "" })
	f("store.retention", func(c *Config) { c.Retention = time.Minute })
	f("store.retention", func(c *Config) { c.Retention = 100 * 8760 * time.Hour })
	f("store.batch.rows", func(c *Config) { c.Batch.Rows = 0 })
	f("store.batch.bytes", func(c *Config) { c.Batch.Bytes = 1 })
	f("store.batch.wait", func(c *Config) { c.Batch.Wait = 0 })
	f("store.remembered_ids", func(c *Config) { c.RememberedIDs = 0 })
	// All at once.
	c := DefaultConfig()
	c.Kind, c.Database = "x", "-"
	if err := c.Validate(); err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("got %v, want two sentences", err)
	}
}

func TestServerOptions(t *testing.T) {
	c := DefaultConfig()
	c.Kind, c.DSN = KindClickHouse, "clickhouse://klaxon:secret@db.example:9440/base?secure=true"
	o, err := c.ServerOptions()
	if err != nil || o.Addr[0] != "db.example:9440" || o.Auth.Password != "secret" || o.TLS == nil {
		t.Errorf("got %+v, %v", o, err)
	}
	file := filepath.Join(t.TempDir(), "dsn")
	if err := os.WriteFile(file, []byte(c.DSN+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.DSN, c.DSNFile = "", file
	if o, err = c.ServerOptions(); err != nil || o.Auth.Database != "base" {
		t.Errorf("from a file: got %+v, %v", o, err)
	}
}

func TestServerOptionsKeepsTheSecret(t *testing.T) {
	for _, dsn := range []string{"clickhouse://u:s3cret@host:port", "s3cret", "clickhouse://u:s3cret@%zz", "ftp://u:s3cret@host"} {
		c := DefaultConfig()
		c.Kind, c.DSN = KindClickHouse, dsn
		o, err := c.ServerOptions()
		if err == nil {
			t.Errorf("%s: got %+v, want an error", dsn, o)
		} else if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("the error repeats the secret: %v", err)
		}
	}
}
