package app

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/ingest"
	"github.com/klaxon-dev/klaxon/internal/datadir"
	"github.com/klaxon-dev/klaxon/internal/output"
	"github.com/klaxon-dev/klaxon/store"
	"github.com/klaxon-dev/klaxon/stream/kafka"
	"github.com/klaxon-dev/klaxon/stream/local"
	"github.com/klaxon-dev/klaxon/stream/spool"
	"github.com/klaxon-dev/klaxon/web/api"
)

// Config is the configuration file of serve. Every key may be left out: what
// is then used is said at the key. Unknown keys are errors. ${NAME} in a value
// stands for an environment variable; secrets are better kept in files.
type Config struct {
	// DataDir is where serve keeps all that it writes. Default: --data-dir,
	// $KLAXON_DATA_DIR, $XDG_STATE_HOME/klaxon or ~/.local/state/klaxon.
	DataDir string `yaml:"data_dir"`

	// Roles are the parts of the pipeline that this process runs: ingest, match,
	// window, store, api. --roles counts before them. Fewer than all need
	// stream.kind kafka. Default: all.
	Roles Roles `yaml:"roles"`

	// Ingest is the door that audit events come in by.
	Ingest ingest.Config `yaml:"ingest"`
	// Redaction makes secrets in events unreadable.
	Redaction RedactionConfig `yaml:"redaction"`
	// Stream is the durable log between the stages.
	Stream StreamConfig `yaml:"stream"`
	// Spool keeps events on this machine's disk while Kafka's brokers are away.
	Spool spool.Config `yaml:"spool"`
	// Rules are what is looked for.
	Rules RulesConfig `yaml:"rules"`
	// Store is where events and findings are kept for searching.
	Store store.Config `yaml:"store"`
	// Engine is the embedded ClickHouse engine; used where store.kind is embedded.
	Engine EngineConfig `yaml:"engine"`
	// API is the HTTP API that analysts and the command line ask.
	API api.Config `yaml:"api"`
	// Metrics is where Prometheus and probes ask.
	Metrics MetricsConfig `yaml:"metrics"`
	// Log is what serve says of itself on standard error.
	Log LogConfig `yaml:"log"`
}

// RedactionConfig is the section redaction.
type RedactionConfig struct {
	// KeyFile holds the key that secret values are hashed with: at least 32
	// characters, the same for all processes of an installation. Default: one
	// that is made in the data directory.
	KeyFile string `yaml:"key_file"`
	// Redact names what is secret in the objects of resources, besides Secrets
	// and tokens, which always are. See docs/redaction.md.
	Redact []audit.RedactRule `yaml:"redact"`
}

// StreamConfig is the section stream.
type StreamConfig struct {
	// Kind is local, a log on this machine's disk for one process, or kafka, for
	// many. Default local.
	Kind string `yaml:"kind"`
	// Local configures the local log.
	Local local.Config `yaml:"local"`
	// Kafka configures the log in Kafka.
	Kafka kafka.Config `yaml:"kafka"`
}

// Kinds of logs.
const (
	StreamLocal = "local"
	StreamKafka = "kafka"
)

// RulesConfig is the section rules.
type RulesConfig struct {
	// NoBuiltin leaves the builtin rules out. Default false.
	NoBuiltin bool `yaml:"no_builtin"`
	// Paths are files and directories of rules to add.
	Paths []string `yaml:"paths"`
}

// EngineConfig is the section engine.
type EngineConfig struct {
	// Library is the file of the engine's library. Default: where
	// 'klaxon engine fetch' puts it.
	Library string `yaml:"library"`
	// MemoryBytes is how much memory the engine may use. Default 1.5 GiB.
	MemoryBytes int64 `yaml:"memory_bytes"`
}

// MetricsConfig is the section metrics.
type MetricsConfig struct {
	// Listen is the address of /metrics, /livez and /readyz, plain HTTP. It
	// must be a loopback address unless TokenFile is set. Default 127.0.0.1:9445.
	Listen string `yaml:"listen"`
	// TokenFile holds the bearer token that /metrics asks for. Default: none.
	TokenFile string `yaml:"token_file"`
}

// LogConfig is the section log.
type LogConfig struct {
	// Level is debug, info, warn or error. Default info.
	Level string `yaml:"level"`
	// Format is text or json. Default text.
	Format string `yaml:"format"`
}

// maxConfigBytes bounds a configuration file.
const maxConfigBytes = 1 << 20

// ReadConfig reads a configuration file; "" stands for the defaults alone. The
// data directory and the roles count before those of the file; "" and none do
// not. The data directory is already resolved in what it returns.
func ReadConfig(path, dataDir string, roles Roles) (Config, datadir.Dir, error) {
	c, err := decode(path)
	if err != nil {
		return c, "", err
	}
	dir, err := datadir.Resolve(cmp.Or(dataDir, c.DataDir))
	if err != nil {
		return c, "", err
	}
	if len(roles) > 0 {
		c.Roles = roles
	}
	c.setDefaults()
	if err := c.validate(); err != nil {
		return c, "", fmt.Errorf("configuration: %w", err)
	}
	return c, dir, nil
}

// ReadKafka reads the section stream.kafka of a configuration file, as it is
// there: neither filled up nor validated, and neither is the rest of the file.
func ReadKafka(path string) (kafka.Config, error) {
	c, err := decode(path)
	return c.Stream.Kafka, err
}

// decode reads a configuration file; "" is an empty one.
func decode(path string) (Config, error) {
	c := Config{Store: store.DefaultConfig()}
	if path == "" {
		return c, nil
	}
	text, err := readLimited(path)
	if err != nil {
		return c, fmt.Errorf("configuration: %w", err)
	}
	expanded, err := expand(text)
	if err != nil {
		return c, fmt.Errorf("configuration %s: %w", path, err)
	}
	err = yaml.UnmarshalWithOptions(expanded, &c, yaml.Strict(), yaml.CustomUnmarshaler(unmarshalDuration))
	if err != nil && !errors.Is(err, io.EOF) {
		// The lines around a mistake would show what a variable holds: a secret.
		quote := bytes.Equal(expanded, text)
		return c, fmt.Errorf("configuration %s: %s", path, yaml.FormatError(err, false, quote))
	}
	return c, nil
}

// unmarshalDuration reads a duration and says of a wrong one what it should be.
func unmarshalDuration(d *time.Duration, text []byte) error {
	v, err := time.ParseDuration(strings.Trim(strings.TrimSpace(string(text)), `"'`))
	if err != nil {
		return fmt.Errorf("%q is no duration such as 90s, 10m or 8760h", strings.TrimSpace(string(text)))
	}
	*d = v
	return nil
}

func readLimited(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxConfigBytes+1))
	if err == nil && len(text) > maxConfigBytes {
		err = fmt.Errorf("%s is larger than %d bytes", path, maxConfigBytes)
	}
	return text, err
}

var variable = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// expand replaces ${NAME}. A variable that is not set is an error: an empty
// secret must not be taken for one.
func expand(text []byte) ([]byte, error) {
	var missing []string
	out := variable.ReplaceAllFunc(text, func(m []byte) []byte {
		name := string(m[2 : len(m)-1])
		value, ok := os.LookupEnv(name)
		if !ok {
			missing = append(missing, name)
		}
		return []byte(value)
	})
	if len(missing) > 0 {
		return nil, fmt.Errorf("these environment variables are not set: %s", strings.Join(missing, ", "))
	}
	return out, nil
}

func (c *Config) setDefaults() {
	if c.Store == (store.Config{}) { // an empty file, or an empty section
		c.Store = store.DefaultConfig()
	}
	c.Ingest.SetDefaults()
	c.API.SetDefaults()
	c.Stream.Local.SetDefaults()
	c.Stream.Kind = cmp.Or(c.Stream.Kind, StreamLocal)
	c.Stream.Kafka.SetDefaults()
	c.Spool.SetDefaults()
	if len(c.Roles) == 0 {
		c.Roles = AllRoles()
	}
	c.Engine.MemoryBytes = cmp.Or(c.Engine.MemoryBytes, 1536<<20)
	c.Metrics.Listen = cmp.Or(c.Metrics.Listen, "127.0.0.1:9445")
	c.Log.Level = cmp.Or(c.Log.Level, "info")
	c.Log.Format = cmp.Or(c.Log.Format, "text")
}

// recordForm is more than a record takes besides the event or letter that it is.
const recordForm = 64 << 10

// validate returns every problem, one sentence each.
func (c *Config) validate() error {
	var problems []error
	problem := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	problems = append(problems, c.Ingest.Validate(), c.Stream.Local.Validate(), c.Store.Validate(), c.API.Validate())
	problems = append(problems, audit.CheckRedactRules(c.Redaction.Redact), c.Spool.Validate())
	if c.Ingest.Instance != "" && c.Redaction.KeyFile == "" {
		problem("redaction.key_file: ingest.instance says that several processes take events: give all of them one key, or equal secrets and equal events are not known as such")
	}
	switch c.Stream.Kind {
	case StreamLocal:
		if c.Spool.Enabled() {
			problem("spool.dir: the local log is on this machine's disk itself: leave the spool out, or set stream.kind to kafka")
		}
	case StreamKafka:
		problems = append(problems, c.Stream.Kafka.Validate())
		largest := max(c.Ingest.Limits.EventBytes, c.Ingest.Limits.DeadLetterBytes) + recordForm
		if int64(c.Stream.Kafka.MaxRecordBytes) < largest {
			problem("stream.kafka.max_record_bytes: %d is too little for ingest.limits.event_bytes and dead_letter_bytes: want at least %d",
				c.Stream.Kafka.MaxRecordBytes, largest)
		}
	default:
		problem("stream.kind: %q is not local or kafka", c.Stream.Kind)
	}
	problems = append(problems, c.Roles.validate())
	problems = append(problems, c.checkRoles()...)
	if c.Engine.MemoryBytes < 256<<20 {
		problem("engine.memory_bytes: the engine needs at least %d", 256<<20)
	}
	if !isLoopback(c.Metrics.Listen) && c.Metrics.TokenFile == "" {
		problem("metrics.listen: %s is reached from other machines: set metrics.token_file, or listen on 127.0.0.1", c.Metrics.Listen)
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Log.Level)); err != nil {
		problem("log.level: %q is not debug, info, warn or error", c.Log.Level)
	}
	if c.Log.Format != "text" && c.Log.Format != "json" {
		problem("log.format: %q is not text or json", c.Log.Format)
	}
	return errors.Join(problems...)
}

func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// NewLogger makes the logger that the configuration asks for. What an attacker
// wrote does nothing in a terminal that shows it.
func (c *LogConfig) NewLogger(w io.Writer) *slog.Logger {
	var level slog.Level
	// The level was checked with the rest of the configuration.
	_ = level.UnmarshalText([]byte(c.Level))
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: utc}
	w = output.Log{W: w}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// utc writes the time of a log line in UTC.
func utc(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.Time(a.Key, a.Value.Time().UTC().Round(time.Microsecond))
	}
	return a
}
