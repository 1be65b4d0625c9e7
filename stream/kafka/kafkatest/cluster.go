package kafkatest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	startPatience = 2 * time.Minute
	stopPatience  = time.Minute
	// starts is how often a cluster is begun anew because somebody took a port
	// between its choice and its use.
	starts = 3
)

// Cluster is a running Kafka. Its nodes count from 1. Its methods are safe for
// concurrent use, on one node by one goroutine at a time.
type Cluster struct {
	dir       string
	bootstrap []string
	nodes     []*node
}

// Start starts a cluster of 1 or 3 brokers that ends with the test. Settings are
// further lines of the brokers' server.properties.
func Start(t testing.TB, brokers int, settings ...string) *Cluster {
	t.Helper()
	return startFor(t, brokers, settings)
}

// startFor starts a cluster that ends with the test.
func startFor(t testing.TB, brokers int, settings []string, env ...string) *Cluster {
	t.Helper()
	c, err := start(t.TempDir(), brokers, settings, env)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(c.tail())
		}
	})
	return c
}

// start prepares a cluster below dir and starts it.
func start(dir string, brokers int, settings, env []string) (*Cluster, error) {
	env = append(env, "KAFKA_SETTINGS="+strings.Join(settings, "\n"))
	for attempt := 1; ; attempt++ {
		c := &Cluster{dir: filepath.Join(dir, strconv.Itoa(attempt))}
		err := c.begin(brokers, env)
		if err == nil {
			return c, nil
		}
		err = errors.Join(fmt.Errorf("start Kafka: %w", err), c.stop())
		if attempt == starts || !strings.Contains(c.tail(), "Address already in use") {
			return nil, fmt.Errorf("%w\n%s", err, c.tail())
		}
	}
}

func (c *Cluster) begin(brokers int, env []string) error {
	if err := script(env, "format.sh", c.dir, strconv.Itoa(brokers)); err != nil {
		return err
	}
	var err error
	if c.bootstrap, err = addresses(c.dir, "bootstrap"); err != nil {
		return err
	}
	for id := 1; id <= brokers; id++ {
		n := &node{cluster: c.dir, id: id, address: c.bootstrap[id-1]}
		c.nodes = append(c.nodes, n)
		if err := n.start(); err != nil {
			return err
		}
	}
	return c.ready()
}

// ready waits until every broker knows all of them.
func (c *Cluster) ready() error {
	for _, n := range c.nodes {
		if err := n.ready(len(c.nodes)); err != nil {
			return err
		}
	}
	return nil
}

// addresses reads a file of addresses that format.sh wrote.
func addresses(dir, name string) ([]string, error) {
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return nil, err
	}
	return strings.Split(strings.TrimSpace(string(text)), ","), nil
}

// Bootstrap returns the brokers' addresses, node 1 first.
func (c *Cluster) Bootstrap() []string { return append([]string(nil), c.bootstrap...) }

// Kill ends a broker by SIGKILL.
func (c *Cluster) Kill(t testing.TB, id int) { t.Helper(); c.do(t, "kill", id, (*node).kill) }

// Stop ends a broker in good order (SIGTERM): it hands its partitions over.
func (c *Cluster) Stop(t testing.TB, id int) { t.Helper(); c.do(t, "stop", id, (*node).stop) }

// Pause stops a broker without ending it (SIGSTOP).
func (c *Cluster) Pause(t testing.TB, id int) { t.Helper(); c.do(t, "pause", id, (*node).pause) }

// Resume lets a paused broker go on (SIGCONT).
func (c *Cluster) Resume(t testing.TB, id int) { t.Helper(); c.do(t, "resume", id, (*node).resume) }

// Restart starts a broker that was killed or stopped, with its data and its
// address, and waits until it answers.
func (c *Cluster) Restart(t testing.TB, id int) {
	t.Helper()
	c.do(t, "restart", id, func(n *node) error { return errors.Join(n.start(), n.ready(1)) })
}

// PID returns the process id of a broker.
func (c *Cluster) PID(id int) int { return c.nodes[id-1].cmd.Process.Pid }

// Data returns the directory in which a node keeps its topics.
func (c *Cluster) Data(id int) string {
	return filepath.Join(c.dir, "node"+strconv.Itoa(id), "data")
}

func (c *Cluster) do(t testing.TB, what string, id int, f func(*node) error) {
	t.Helper()
	if err := f(c.nodes[id-1]); err != nil {
		t.Fatalf("%s broker %d: %v", what, id, err)
	}
}

// stop ends the brokers, all at once: the last ones have nobody to hand their
// partitions to.
func (c *Cluster) stop() error {
	done := make(chan error)
	for _, n := range c.nodes {
		go func() { done <- errors.Join(n.resume(), n.stop()) }()
	}
	var errs []error
	for range c.nodes {
		errs = append(errs, <-done)
	}
	return errors.Join(errs...)
}

// tail returns what the brokers said last.
func (c *Cluster) tail() string {
	var b strings.Builder
	for _, n := range c.nodes {
		fmt.Fprintf(&b, "the end of %s:\n%s\n", n.log(), n.tail())
	}
	return b.String()
}
