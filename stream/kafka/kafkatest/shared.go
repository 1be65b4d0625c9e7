package kafkatest

import (
	"fmt"
	"os"
	"sync"
	"testing"
)

// Shared is one broker for all tests of a package. It starts when the first of
// them asks for it. Its methods are safe for concurrent use.
type Shared struct {
	// Settings are further lines of the broker's server.properties.
	Settings []string

	once    sync.Once
	dir     string
	cluster *Cluster
	err     error
}

// Main runs the tests, stops the broker, and ends the process.
func (s *Shared) Main(m *testing.M) {
	code := m.Run()
	if err := s.stop(code != 0); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// Cluster returns the broker. It must not be killed or paused.
func (s *Shared) Cluster(t testing.TB) *Cluster {
	t.Helper()
	s.once.Do(func() {
		if s.dir, s.err = os.MkdirTemp("", "klaxon-kafka-"); s.err == nil {
			s.cluster, s.err = start(s.dir, 1, s.Settings, nil)
		}
	})
	if s.err != nil {
		t.Fatal(s.err)
	}
	return s.cluster
}

func (s *Shared) stop(tell bool) error {
	if s.dir == "" {
		return nil
	}
	if s.cluster != nil {
		if err := s.cluster.stop(); err != nil {
			return err
		}
		if tell {
			fmt.Fprint(os.Stderr, s.cluster.tail())
		}
	}
	return os.RemoveAll(s.dir)
}
