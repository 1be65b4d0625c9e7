package spool

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/klaxon-dev/klaxon/stream"
)

// onDisk opens the spool in a directory.
func onDisk(t *testing.T, dir string) *lab {
	return newLab(t, func(c *Config, o *Options) { c.Dir, o.FS = dir, nil })
}

// Records that lie far apart are not handed over in one Append.
func TestWithin(t *testing.T) {
	f := func(want int, seconds ...int) {
		t.Helper()
		var records []stream.Record
		for _, s := range seconds {
			records = append(records, stream.Record{Time: time.Unix(int64(s), 0)})
		}
		if got := within(records, time.Minute); got != want {
			t.Errorf("%v: %d, want %d", seconds, got, want)
		}
	}
	f(1, 0)
	f(3, 0, 0, 59)
	f(2, 0, 59, 60, 61)
	f(1, 0, 3600)
}

// What the brokers do not take for another reason than that they are away is
// kept, and said.
func TestRefusedByTheBrokers(t *testing.T) {
	l := newLab(t)
	l.begin()
	l.brokers.mu.Lock()
	l.brokers.err = errors.New("max.message.bytes is too small")
	l.brokers.mu.Unlock()
	waitFor(t, "the status says so", func() bool {
		return strings.HasSuffix(l.spool.Status(), "events/0: max.message.bytes is too small")
	})
	l.brokers.are(false)
	l.direct()
	for p := range partitions {
		l.wantHeld(p, "first")
	}
}

// A file of the spool is damaged where records are: they are not stepped over,
// and what keeps them is said.
func TestDamagedRecords(t *testing.T) {
	dir := t.TempDir()
	l := onDisk(t, dir)
	l.begin()
	for i := range 200 {
		records := l.records("")
		for p := range records {
			records[p].Value = noise(i, 2<<10)
		}
		if err := l.spool.Append(t.Context(), "events", records); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.spool.Close(); err != nil {
		t.Fatal(err)
	}
	damage(t, filepath.Join(dir, "log", "*.sst"), 0.5)
	l.open()
	l.brokers.are(false)
	waitFor(t, "the status says so", func() bool { return strings.Contains(l.spool.Status(), "; events/") })
	waitFor(t, "all before the damage is handed over", func() bool {
		return len(l.brokers.values("events", 0)) == 201 && len(l.brokers.values("events", 1)) > 90 && len(l.brokers.values("events", 2)) == 201
	})
	if _, ok := l.spool.Spooling(); !ok {
		t.Error("it is direct with records that cannot be read")
	}
	t.Log(l.spool.Status())
}

// A spool that cannot be opened says what to do.
func TestDamagedStore(t *testing.T) {
	dir := t.TempDir()
	l := onDisk(t, dir)
	l.begin()
	if err := l.spool.Close(); err != nil {
		t.Fatal(err)
	}
	damage(t, filepath.Join(dir, "log", "MANIFEST-*"), 0.3)
	_, err := Open(t.Context(), l.config, l.options)
	if err == nil || !strings.Contains(err.Error(), "spool.dir: open "+filepath.Join(dir, "log")) || !strings.Contains(err.Error(), "keep a copy of the directory") {
		t.Errorf("open: %v", err)
	}
}

// damage changes bytes of the largest file of a name, at a part of its length.
func damage(t *testing.T, pattern string, at float64) {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("no file %s: %v", pattern, err)
	}
	var largest string
	var text []byte
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if len(b) > len(text) {
			largest, text = name, b
		}
	}
	for i := range 16 {
		text[int(float64(len(text))*at)+i] ^= 0xff
	}
	if err := os.WriteFile(largest, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Two processes do not share a spool, and it is for its user alone.
func TestDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	l := onDisk(t, dir)
	if _, err := Open(t.Context(), l.config, l.options); err == nil || !strings.Contains(err.Error(), "spool.dir: lock ") {
		t.Errorf("a second one: %v", err)
	}
	if err := l.spool.Close(); err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(dir, "log")
	if err := os.Chmod(log, 0o755); err != nil {
		t.Fatal(err)
	}
	l.open()
	info, err := os.Stat(log)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(os.FileMode(0o700), info.Mode().Perm()); diff != "" {
		t.Errorf("mode (-want +got):\n%s", diff)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l.config.Dir = filepath.Join(file, "spool")
	if _, err := Open(t.Context(), l.config, l.options); err == nil || !strings.Contains(err.Error(), "spool.dir: ") {
		t.Errorf("in a place that cannot be written: %v", err)
	}
}
