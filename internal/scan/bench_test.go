package scan

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"syscall"
	"testing"
	"time"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/internal/recorded"
	"github.com/klaxon-dev/klaxon/rules"
	"github.com/klaxon-dev/klaxon/rules/rulegen"
)

// repeats is how often the recorded events stand in the log: what is done once in
// a scan must weigh as little as it does in a scan of a day.
const repeats = 4

// BenchmarkScan scans a log of recorded events at Metadata, from the file's bytes
// to closed findings, with sets of rules that are made of the builtin ones. It
// reports the CPU seconds that a million events cost, all goroutines together.
func BenchmarkScan(b *testing.B) {
	log, events := metadataLog(b)
	for _, n := range []int{10, 200, 1000} {
		set, err := rulegen.Rules(n)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			b.SetBytes(int64(repeats * len(log)))
			before := cpuTime(b)
			for b.Loop() {
				scanLog(b, set, log, repeats*events)
			}
			b.ReportMetric((cpuTime(b)-before).Seconds()/float64(b.N)/float64(repeats*events)*1e6, "cpu-s/Mevent")
		})
	}
}

func scanLog(b *testing.B, set *rules.Set, log []byte, events int) {
	b.Helper()
	redactor, err := audit.NewRedactor(make([]byte, audit.MinKeyBytes))
	if err != nil {
		b.Fatal(err)
	}
	reducer, err := audit.NewReducer(redactor, audit.DefaultEventBytes)
	if err != nil {
		b.Fatal(err)
	}
	s := New(Config{Rules: set, Cluster: "c", Reducer: reducer, Unread: func(_ string, err error) { b.Error(err) }})
	file := File{Name: "audit.log", Open: func() (io.ReadCloser, error) {
		var parts []io.Reader
		for range repeats {
			parts = append(parts, bytes.NewReader(log))
		}
		return io.NopCloser(io.MultiReader(parts...)), nil
	}}
	if err := s.Files(context.Background(), []File{file}); err != nil {
		b.Fatal(err)
	}
	if _, summary, err := s.Finish(); err != nil || summary.Events != int64(events) {
		b.Fatalf("%d events, want %d: %v", summary.Events, events, err)
	}
}

// metadataLog returns the recorded events of ordinary load as a policy of level
// Metadata has them.
func metadataLog(b *testing.B) (log []byte, events int) {
	b.Helper()
	for _, line := range recorded.Lines(b, recorded.Benign) {
		log = append(append(log, recorded.AtMetadata(b, line)...), '\n')
		events++
	}
	return log, events
}

// cpuTime is what this process has used so far.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
