package scan

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/rules"
)

// newScanner returns a scanner that redacts with a key of its own.
func newScanner(t *testing.T, c Config) *Scanner {
	t.Helper()
	redactor, err := audit.NewRedactor(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	if c.Reducer, err = audit.NewReducer(redactor, audit.DefaultEventBytes); err != nil {
		t.Fatal(err)
	}
	if c.Unread == nil {
		c.Unread = func(_ string, err error) { t.Error(err) }
	}
	c.Cluster = "c"
	return New(c)
}

// finish ends a scan and returns all that it found.
func finish(t *testing.T, s *Scanner) ([]detect.Finding, Summary) {
	t.Helper()
	found, summary, err := s.Finish()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := found.Close(); err != nil {
			t.Error(err)
		}
	}()
	var all []detect.Finding
	for f, err := range found.All() {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, *f)
	}
	if len(all) != found.Len() {
		t.Errorf("%d findings, said to be %d", len(all), found.Len())
	}
	return all, summary
}

// A flood of findings is not held in memory; it is whole, and in order.
func TestManyFindings(t *testing.T) {
	const many = 30_000
	path := filepath.Join(t.TempDir(), "rules.yaml")
	const rule = `{id: every-name, title: seen, description: each name, severity: low, when: verb == "get", window: {by: [user.username]}}`
	if err := os.WriteFile(path, []byte(rule), 0o600); err != nil {
		t.Fatal(err)
	}
	set, problems := rules.Load(rules.Sources{NoBuiltin: true, Paths: []string{path}})
	if errs := problems.Errors(); len(errs) > 0 {
		t.Fatal(errs.Error())
	}
	s := newScanner(t, Config{Rules: set})
	s.log.limit, s.closed.spool.limit = 1<<16, 1<<16
	start := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	number, rest := 0, []byte(nil)
	events := readFunc(func(p []byte) (int, error) {
		if len(rest) == 0 {
			if number == many {
				return 0, io.EOF
			}
			at := start.Add(time.Duration(number) * time.Second).Format("2006-01-02T15:04:05.000000Z")
			rest = fmt.Appendf(nil, `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"%d","stage":"ResponseComplete","requestURI":"/version",`+
				`"verb":"get","user":{"username":"u%d"},"responseStatus":{"code":200},"requestReceivedTimestamp":%q,"stageTimestamp":%q}`+"\n", number, number, at, at)
			number++
		}
		n := copy(p, rest)
		rest = rest[n:]
		return n, nil
	})
	before := heap()
	if err := s.Files(t.Context(), []File{{Name: "flood", Stream: true, Open: func() (io.ReadCloser, error) { return io.NopCloser(events), nil }}}); err != nil {
		t.Fatal(err)
	}
	found, summary, err := s.Finish()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = found.Close() }()
	s.windows, s.matcher = nil, nil
	each := (heap() - before) / many
	t.Logf("%d findings of %d events, some %d bytes of memory each", found.Len(), summary.Events, each)
	if each > 300 {
		t.Errorf("a finding holds %d bytes of memory", each)
	}
	names, last := map[string]bool{}, start.Add(1000*time.Hour)
	for f, err := range found.All() {
		if err != nil {
			t.Fatal(err)
		}
		names[f.Actor] = true
		if f.LastSeen.After(last) {
			t.Fatalf("%s comes after %s", f.LastSeen, last)
		}
		last = f.LastSeen
	}
	if len(names) != many || found.Len() != many {
		t.Errorf("%d names in %d findings, want %d", len(names), found.Len(), many)
	}
}

// heap returns the bytes that live.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
