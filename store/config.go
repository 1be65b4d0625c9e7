package store

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/klaxon-dev/klaxon/internal/secretfile"
)

// Kind says which engine holds the data.
type Kind string

// The kinds of engines.
const (
	KindEmbedded   Kind = "embedded"   // a child process of klaxon on this machine
	KindClickHouse Kind = "clickhouse" // a ClickHouse server
)

// Config is the section store of the configuration.
type Config struct {
	// Kind is the engine: embedded (default) or clickhouse.
	Kind Kind `yaml:"kind"`

	// DSN is the server's address for kind clickhouse, with user and password:
	// clickhouse://user:password@host:9440/?secure=true, or https://host:8443.
	// It is a secret: take it from the environment (${VAR}) or from DSNFile.
	DSN string `yaml:"dsn"`
	// DSNFile is a file that holds the DSN, readable by its owner only. It
	// excludes DSN.
	DSNFile string `yaml:"dsn_file"`

	// Database holds the tables; it is created where it is missing. Default
	// klaxon.
	Database string `yaml:"database"`

	// Retention is how long events and findings are kept after they were
	// received. Default 8760h (a year), 1h to 438000h (50
	// years).
	Retention time.Duration `yaml:"retention"`

	// Batch bounds one insert of events.
	Batch BatchConfig `yaml:"batch"`

	// RememberedIDs is how many event ids of the last 15 minutes this process
	// remembers at most, over all its partitions; an id takes about 50 bytes.
	// What it cannot remember it looks up in the store. Default 2,000,000.
	RememberedIDs int `yaml:"remembered_ids"`
}

// maxRetention is as long as the engine can count: the end of a row's time to
// live is a 32-bit time, and beyond 2106 it would lie in the past.
const maxRetention = 50 * 8760 * time.Hour

// BatchConfig bounds one insert: it is sent when one of the bounds is reached.
type BatchConfig struct {
	Rows  int           `yaml:"rows"`  // default 10000
	Bytes int           `yaml:"bytes"` // of the records; default 8388608 (8 MiB)
	Wait  time.Duration `yaml:"wait"`  // from the first record on; default 1s
}

// DefaultConfig returns the configuration of an empty section.
func DefaultConfig() Config {
	return Config{
		Kind:          KindEmbedded,
		Database:      "klaxon",
		Retention:     8760 * time.Hour,
		Batch:         BatchConfig{Rows: 10_000, Bytes: 8 << 20, Wait: time.Second},
		RememberedIDs: 2_000_000,
	}
}

// Names of databases are written into SQL: only plain ones are taken.
var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,63}$`)

// schemes are those that the driver knows; it takes others for the first one.
var schemes = []string{"clickhouse", "tcp", "http", "https"}

// Validate returns all that is wrong with c, each in one sentence.
func (c *Config) Validate() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	switch c.Kind {
	case KindEmbedded:
		if c.DSN != "" || c.DSNFile != "" {
			wrong("store.dsn is for store.kind clickhouse: the embedded engine needs none")
		}
	case KindClickHouse:
		if (c.DSN == "") == (c.DSNFile == "") {
			wrong("store.kind clickhouse needs either store.dsn or store.dsn_file")
		}
	default:
		wrong("store.kind is %q: want embedded or clickhouse", c.Kind)
	}
	if !plainName.MatchString(c.Database) {
		wrong("store.database is %q: want letters, digits and underscores, at most 64", c.Database)
	}
	if c.Retention < time.Hour || c.Retention > maxRetention {
		wrong("store.retention is %s: want 1h to 438000h (50 years)", c.Retention)
	}
	if c.Batch.Rows < 1 || c.Batch.Rows > 100_000 {
		wrong("store.batch.rows is %d: want 1 to 100000", c.Batch.Rows)
	}
	if c.Batch.Bytes < 64<<10 || c.Batch.Bytes > 256<<20 {
		wrong("store.batch.bytes is %d: want 65536 (64 KiB) to 268435456 (256 MiB)", c.Batch.Bytes)
	}
	if c.Batch.Wait <= 0 || c.Batch.Wait > time.Minute {
		wrong("store.batch.wait is %s: want more than 0s, at most 1m", c.Batch.Wait)
	}
	if c.RememberedIDs < 1 {
		wrong("store.remembered_ids is %d: want at least 1", c.RememberedIDs)
	}
	return errors.Join(errs...)
}

// ServerOptions returns the connection options of kind clickhouse. Its errors
// do not repeat the DSN.
func (c *Config) ServerOptions() (*clickhouse.Options, error) {
	dsn := c.DSN
	if c.DSNFile != "" {
		var err error
		if dsn, err = secretfile.Read(c.DSNFile); err != nil {
			return nil, fmt.Errorf("store.dsn_file: %w", err)
		}
	}
	options, err := clickhouse.ParseDSN(dsn)
	if err != nil || !slices.Contains(schemes, dsn[:max(0, strings.Index(dsn, "://"))]) {
		// The parser's error may hold the password.
		return nil, errors.New("store.dsn is not understood: want clickhouse://user:password@host:port/database or https://…")
	}
	return options, nil
}
