package spool

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

// Bounds that configuration is held to.
const (
	leastAfter = time.Second
	mostAfter  = 3 * time.Minute // API servers give up a little later
)

// Config is the section spool of the configuration file.
type Config struct {
	// Dir is where events are kept while Kafka's brokers are away: a directory on
	// a volume that outlives the process, for it alone. What is in it is as
	// readable as the log, redacted and not encrypted. Processes with the role
	// ingest use it. Default: none, events are refused until the brokers are back.
	Dir string `yaml:"dir"`

	// After is how long the brokers refuse events before they are spooled: API
	// servers repeat what was refused meanwhile. Default 2m, 1s to 3m.
	After time.Duration `yaml:"after"`

	// MaxBytes bounds the spool, compressed: four fifths are for events, one for
	// dead letters, and every partition has an equal part of that. At the bound
	// events are refused. Default 10 GiB.
	MaxBytes int64 `yaml:"max_bytes"`
}

// Enabled reports whether there is to be a spool.
func (c *Config) Enabled() bool { return c.Dir != "" }

// SetDefaults fills what was left out of a spool.
func (c *Config) SetDefaults() {
	if !c.Enabled() {
		return
	}
	c.After = cmp.Or(c.After, 2*time.Minute)
	c.MaxBytes = cmp.Or(c.MaxBytes, 10<<30)
}

// Validate returns every mistake after SetDefaults, one sentence each.
func (c *Config) Validate() error {
	if !c.Enabled() {
		if *c != (Config{}) {
			return errors.New("spool.dir: is not set, so that nothing would be spooled: name a directory, or leave out the rest")
		}
		return nil
	}
	var problems []error
	if c.After < leastAfter || c.After > mostAfter {
		problems = append(problems, fmt.Errorf("spool.after: %v is not between %v and %v: API servers give up what is refused for nearly 4 minutes", c.After, leastAfter, mostAfter))
	}
	if c.MaxBytes < 1 {
		problems = append(problems, fmt.Errorf("spool.max_bytes: %d is not more than 0", c.MaxBytes))
	}
	return errors.Join(problems...)
}
