package local

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"time"
)

// Bounds that configuration and records are held to.
const (
	maxPartitions  = 1024
	maxRecordLimit = 512 << 20
	leastFreeBytes = 64 << 20
)

// Config is the section stream.local of the configuration file.
type Config struct {
	// Retention is how long records are kept at least, and, once all groups
	// have consumed them, not longer. A Go duration. Default 168h (7 days).
	Retention time.Duration `yaml:"retention"`

	// MaxBytes bounds what each topic holds, compressed; every partition has
	// an equal part. At the bound the oldest records that all groups have
	// consumed give way, however young; where there are none, producers are
	// refused. Default 20 GiB, at most half the disk divided by the topics.
	MaxBytes int64 `yaml:"max_bytes"`

	// MaxRecordBytes bounds one record: its key, headers (each counts 8 bytes
	// more) and value. Default 32 MiB.
	MaxRecordBytes int `yaml:"max_record_bytes"`

	// MinFreeBytes is how much of the disk is left free: below it producers are
	// refused, so that the disk never fills. Default 1 GiB, at most 5 % of the
	// disk.
	MinFreeBytes int64 `yaml:"min_free_bytes"`

	// Compression of records: s2 or none. Default s2, a tenth of the size of
	// audit events. Records are read whatever they were written with.
	Compression string `yaml:"compression"`
}

// Names of compressions.
const (
	CompressionS2   = "s2"
	CompressionNone = "none"
)

// TopicConfig is what the program wants of a topic. Retention and MaxBytes
// count where they are not zero, else those of Config.
type TopicConfig struct {
	// Partitions is fixed when the topic is made; it may grow, never shrink.
	Partitions int
	Retention  time.Duration
	MaxBytes   int64
}

// SetDefaults fills what was left out and does not depend on the disk.
func (c *Config) SetDefaults() {
	c.Retention = cmp.Or(c.Retention, 7*24*time.Hour)
	c.MaxRecordBytes = cmp.Or(c.MaxRecordBytes, 32<<20)
	c.Compression = cmp.Or(c.Compression, CompressionS2)
}

// Validate returns every mistake, one sentence each.
func (c *Config) Validate() error {
	var problems []error
	wrong := func(bad bool, format string, args ...any) {
		if bad {
			problems = append(problems, fmt.Errorf("stream.local."+format, args...))
		}
	}
	wrong(c.Retention < 0, "retention: %v is negative", c.Retention)
	wrong(c.MaxBytes < 0, "max_bytes: %d is negative", c.MaxBytes)
	wrong(c.MaxRecordBytes < 0 || c.MaxRecordBytes > maxRecordLimit,
		"max_record_bytes: %d is not between 1 and %d", c.MaxRecordBytes, maxRecordLimit)
	wrong(c.MinFreeBytes != 0 && c.MinFreeBytes < leastFreeBytes,
		"min_free_bytes: the log needs at least %d to close in good order", leastFreeBytes)
	wrong(c.Compression != "" && c.Compression != CompressionS2 && c.Compression != CompressionNone,
		"compression: %q is not s2 or none", c.Compression)
	return errors.Join(problems...)
}

// validName is what topics and groups may be called: names are parts of keys
// and labels of metrics.
var validName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

func checkTopics(topics map[string]TopicConfig) error {
	var problems []error
	for name, t := range topics {
		if !validName.MatchString(name) {
			problems = append(problems, fmt.Errorf("topic %q: not a name", name))
		}
		if t.Partitions < 1 || t.Partitions > maxPartitions {
			problems = append(problems, fmt.Errorf("topic %s: %d partitions: want 1 to %d", name, t.Partitions, maxPartitions))
		}
	}
	return errors.Join(problems...)
}
