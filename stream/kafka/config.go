package kafka

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Bounds that configuration is held to.
const (
	maxPartitions  = 4096
	maxReplication = 15
	leastRetention = 24 * time.Hour // rules look back 12 h at most; the rest is for repairs
	leastRecord    = 1 << 20
	maxRecordLimit = 64 << 20
)

// Config is the section stream.kafka of the configuration file.
type Config struct {
	// Brokers are the brokers that are asked first, as host:port; the others
	// are learnt from them. At least one.
	Brokers []string `yaml:"brokers"`

	// TLS encrypts the connections.
	TLS TLSConfig `yaml:"tls"`
	// SASL is who klaxon is for the brokers. Default: nobody.
	SASL SASLConfig `yaml:"sasl"`

	// Prefix begins the names of the topics and groups, before a dot. Two
	// installations on one cluster have two prefixes. Default klaxon.
	Prefix string `yaml:"prefix"`

	// Partitions is how many partitions the topic of events is made with; the
	// other topics follow from it. It bounds how many processes share the work
	// and can never be changed: what a record belongs to decides its partition.
	// Default 12.
	Partitions int `yaml:"partitions"`

	// Replication is how many brokers keep each record: at least 3, but for
	// SingleBroker. Default 3.
	Replication int `yaml:"replication"`

	// MinInsyncReplicas is how many of them must have a record before it counts
	// as written: at least 2 and less than Replication, but for SingleBroker.
	// Default 2.
	MinInsyncReplicas int `yaml:"min_insync_replicas"`

	// SingleBroker says that there is one broker, and that its loss may lose
	// what was acknowledged: Replication and MinInsyncReplicas are 1 by default
	// and may be. For development. Default false.
	SingleBroker bool `yaml:"single_broker"`

	// Retention is how long records are kept. Consumers that are down for longer
	// lose what they did not read. A Go duration, at least 24h. Default 168h
	// (7 days).
	Retention time.Duration `yaml:"retention"`

	// MaxRecordBytes bounds one record: its key, headers and value. Default
	// 8388608 (8 MiB), at least 1 MiB and more than ingest.limits.event_bytes
	// and ingest.limits.dead_letter_bytes.
	MaxRecordBytes int `yaml:"max_record_bytes"`

	// MaxInFlightBytes bounds the bytes of records that wait for the brokers'
	// acknowledgement; they take two to five times as much memory. Producers wait
	// or are refused beyond it. Default 67108864 (64 MiB).
	MaxInFlightBytes int64 `yaml:"max_in_flight_bytes"`

	// SessionTimeout is how long a process that has died keeps its partitions.
	// A Go duration. Default 10s, at least 6s.
	SessionTimeout time.Duration `yaml:"session_timeout"`

	// Compression of records: zstd, lz4, snappy, gzip or none. Default zstd, a
	// seventeenth of the size of audit events; lz4 takes less of a processor.
	Compression string `yaml:"compression"`
}

// TLSConfig is the section stream.kafka.tls.
type TLSConfig struct {
	// Enabled says that the brokers speak TLS. Default false.
	Enabled bool `yaml:"enabled"`
	// CAFile holds the certificates that sign the brokers', PEM. Default: those
	// that the system trusts.
	CAFile string `yaml:"ca_file"`
	// CertFile holds the client's certificate chain, PEM, where the brokers ask
	// for one. It is read again for every connection.
	CertFile string `yaml:"cert_file"`
	// KeyFile holds its private key, PEM, readable by its owner only.
	KeyFile string `yaml:"key_file"`
	// ServerName is the name that the brokers' certificates are checked for.
	// Default: the name by which a broker is reached.
	ServerName string `yaml:"server_name"`
}

// SASLConfig is the section stream.kafka.sasl.
type SASLConfig struct {
	// Mechanism is PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512. PLAIN shows the
	// password to the broker and needs TLS. Default: none, SASL is not used.
	Mechanism string `yaml:"mechanism"`
	// Username is the user's name.
	Username string `yaml:"username"`
	// PasswordFile holds the password, readable by its owner only.
	PasswordFile string `yaml:"password_file"`
}

// Names of SASL mechanisms.
const (
	mechanismPlain    = "PLAIN"
	mechanismSCRAM256 = "SCRAM-SHA-256"
	mechanismSCRAM512 = "SCRAM-SHA-512"
)

// compressions are the names that Compression may have.
var compressions = []string{"zstd", "lz4", "snappy", "gzip", "none"}

// validPrefix keeps names of topics within Kafka's bounds and apart from those
// in which Kafka's metrics take dots and underscores for one another.
var validPrefix = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,62}[a-z0-9])?$`)

// SetDefaults fills what was left out.
func (c *Config) SetDefaults() {
	c.Prefix = cmp.Or(c.Prefix, "klaxon")
	c.Partitions = cmp.Or(c.Partitions, 12)
	replication, inSync := 3, 2
	if c.SingleBroker {
		replication, inSync = 1, 1
	}
	c.Replication = cmp.Or(c.Replication, replication)
	c.MinInsyncReplicas = cmp.Or(c.MinInsyncReplicas, inSync)
	c.Retention = cmp.Or(c.Retention, 7*24*time.Hour)
	c.MaxRecordBytes = cmp.Or(c.MaxRecordBytes, 8<<20)
	c.MaxInFlightBytes = cmp.Or(c.MaxInFlightBytes, 64<<20)
	c.SessionTimeout = cmp.Or(c.SessionTimeout, 10*time.Second)
	c.Compression = cmp.Or(c.Compression, "zstd")
}

// Validate returns every mistake after SetDefaults, one sentence each.
func (c *Config) Validate() error {
	problems := slices.Concat(c.brokerProblems(), c.topicProblems(), c.TLS.problems(), c.SASL.problems())
	if c.SASL.Mechanism == mechanismPlain && !c.TLS.Enabled && !c.onLoopback() {
		problems = append(problems, errors.New("stream.kafka.sasl.mechanism: PLAIN would send the password unencrypted: set stream.kafka.tls.enabled, or use SCRAM-SHA-512"))
	}
	return errors.Join(problems...)
}

// Topic returns the full name of a topic or group.
func (c *Config) Topic(name string) string { return c.Prefix + "." + name }

func (c *Config) brokerProblems() []error {
	if len(c.Brokers) == 0 {
		return []error{errors.New("stream.kafka.brokers: name at least one broker as host:port")}
	}
	var problems []error
	for _, broker := range c.Brokers {
		host, port, err := net.SplitHostPort(broker)
		if n, err2 := strconv.ParseUint(port, 10, 16); err != nil || err2 != nil || host == "" || n == 0 {
			problems = append(problems, fmt.Errorf("stream.kafka.brokers: %q is not host:port", broker))
		}
	}
	return problems
}

func (c *Config) topicProblems() []error {
	var problems []error
	wrong := func(bad bool, format string, args ...any) {
		if bad {
			problems = append(problems, fmt.Errorf("stream.kafka."+format, args...))
		}
	}
	wrong(!validPrefix.MatchString(c.Prefix),
		"prefix: %q is not a prefix: 1 to 64 of a-z, 0-9, '.' and '-', with a letter or digit first and last", c.Prefix)
	wrong(c.Partitions < 1 || c.Partitions > maxPartitions, "partitions: %d is not between 1 and %d", c.Partitions, maxPartitions)
	wrong(c.Replication < 1 || c.Replication > maxReplication, "replication: %d is not between 1 and %d", c.Replication, maxReplication)
	wrong(c.MinInsyncReplicas < 1 || c.MinInsyncReplicas > c.Replication,
		"min_insync_replicas: %d is not between 1 and the replication, %d", c.MinInsyncReplicas, c.Replication)
	if !c.SingleBroker {
		wrong(c.Replication < 3, "replication: with %d, the loss of one broker stops klaxon or loses records: use 3, or say single_broker: true", c.Replication)
		wrong(c.MinInsyncReplicas < 2, "min_insync_replicas: with %d, one broker's loss loses acknowledged records: use 2, or say single_broker: true", c.MinInsyncReplicas)
		wrong(c.Replication >= 3 && c.MinInsyncReplicas == c.Replication,
			"min_insync_replicas: with %d of %d, nothing is taken while one broker is away: use %d", c.MinInsyncReplicas, c.Replication, c.Replication-1)
	}
	wrong(c.Retention < leastRetention, "retention: %v is less than %v, which rules and repairs need", c.Retention, leastRetention)
	wrong(c.MaxRecordBytes < leastRecord || c.MaxRecordBytes > maxRecordLimit,
		"max_record_bytes: %d is not between %d and %d", c.MaxRecordBytes, leastRecord, maxRecordLimit)
	wrong(c.MaxInFlightBytes < int64(c.MaxRecordBytes), "max_in_flight_bytes: %d is less than one record may have, %d", c.MaxInFlightBytes, c.MaxRecordBytes)
	wrong(c.SessionTimeout < 6*time.Second || c.SessionTimeout > 5*time.Minute, "session_timeout: %v is not between 6s and 5m, as brokers want it", c.SessionTimeout)
	wrong(!slices.Contains(compressions, c.Compression), "compression: %q is not one of %s", c.Compression, strings.Join(compressions, ", "))
	return problems
}

func (c *TLSConfig) problems() []error {
	var problems []error
	if !c.Enabled && *c != (TLSConfig{}) {
		problems = append(problems, errors.New("stream.kafka.tls: set enabled: true, or leave out the rest: the connections would not be encrypted"))
	}
	if (c.CertFile == "") != (c.KeyFile == "") {
		problems = append(problems, errors.New("stream.kafka.tls: cert_file and key_file come together"))
	}
	return problems
}

func (c *SASLConfig) problems() []error {
	switch c.Mechanism {
	case mechanismPlain, mechanismSCRAM256, mechanismSCRAM512:
		if c.Username == "" || c.PasswordFile == "" {
			return []error{fmt.Errorf("stream.kafka.sasl: %s needs username and password_file", c.Mechanism)}
		}
	case "":
		if *c != (SASLConfig{}) {
			return []error{errors.New("stream.kafka.sasl.mechanism: is not set, so that nobody would log in: say PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")}
		}
	default:
		return []error{fmt.Errorf("stream.kafka.sasl.mechanism: %q is not PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512", c.Mechanism)}
	}
	return nil
}

// onLoopback reports whether all brokers are on this machine.
func (c *Config) onLoopback() bool {
	return !slices.ContainsFunc(c.Brokers, func(broker string) bool {
		host, _, _ := net.SplitHostPort(broker)
		ip := net.ParseIP(host)
		return host != "localhost" && (ip == nil || !ip.IsLoopback())
	})
}
