package spool

import (
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func TestConfigurationMistakes(t *testing.T) {
	f := func(change func(*Config), want string) {
		t.Helper()
		c := Config{Dir: "spool"}
		change(&c)
		_, err := Open(t.Context(), c, Options{
			Topics: map[string]Topic{"events": {Partitions: 12, Percent: 80}}, MaxRecordBytes: 8 << 20, FS: vfs.NewMem(),
		})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	f(func(c *Config) { c.After = time.Millisecond }, "spool.after: 1ms is not between 1s and 3m0s: API servers give up")
	f(func(c *Config) { c.After = 4 * time.Minute }, "spool.after: 4m0s")
	f(func(c *Config) { *c = Config{After: time.Minute} }, "spool.dir: is not set")
	f(func(c *Config) { c.MaxBytes = -1 }, "spool.max_bytes: -1")
	f(func(c *Config) { c.MaxBytes = 100 << 20 }, "spool.max_bytes: 104857600 is less than 251658240: each of the 12 partitions of topic events")
}
