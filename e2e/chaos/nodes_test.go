package chaos

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/klaxon-dev/klaxon/e2e/process"
)

const (
	stopGrace = 40 * time.Second // serve gives itself 30 s
	// restart is how soon a process that ended by itself is started again.
	restart = time.Second
)

// node is a process that is started again whenever it has ended. Its methods
// are safe for concurrent use, those that strike by one goroutine at a time.
type node struct {
	name    string
	class   class
	args    []string
	log     string
	metrics string // URL, "" where there are none

	mu      sync.Mutex
	process *process.Process
	killed  bool          // by a strike
	down    time.Duration // how long it stays down then
	ends    int           // by itself
	lost    error         // what keeps it from running
}

// run keeps the process running until ctx ends, then stops it.
func (n *node) run(ctx context.Context) {
	self, err := os.Executable()
	for ; err == nil && ctx.Err() == nil; err = n.once(ctx, self) {
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lost = err
}

// once runs the process once.
func (n *node) once(ctx context.Context, self string) error {
	p, err := process.Start(self, n.log, n.args...)
	if err != nil {
		return err
	}
	n.mu.Lock()
	n.process, n.killed = p, false
	n.mu.Unlock()
	select {
	case <-ctx.Done():
		return p.Stop(stopGrace)
	case <-p.Done():
	}
	n.mu.Lock()
	wait := n.down
	if !n.killed {
		wait = restart
		n.ends++
	}
	n.mu.Unlock()
	select {
	case <-ctx.Done():
	case <-time.After(wait):
	}
	return nil
}

// current returns the process that runs now, or ran last.
func (n *node) current() (*process.Process, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.process == nil {
		return nil, fmt.Errorf("%s has not been started: %w", n.name, n.lost)
	}
	return n.process, nil
}

// kill ends the process by SIGKILL; it is started again after a while.
func (n *node) kill(down time.Duration) error {
	p, err := n.current()
	if err != nil {
		return err
	}
	n.mu.Lock()
	n.killed, n.down = true, down
	n.mu.Unlock()
	return p.Kill()
}

// ended returns how often the process has ended by itself.
func (n *node) ended() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.ends
}

// ready waits until the process says so.
func (n *node) ready(ctx context.Context) error {
	p, err := n.current()
	if err != nil {
		return err
	}
	return p.UntilReady(ctx, http.DefaultClient, n.metrics+"/readyz")
}

// askTimeout bounds a question to a process that may be at a standstill.
const askTimeout = 300 * time.Millisecond

// sample adds the samples up that begin with a text; -1: there is no answer.
func (n *node) sample(ctx context.Context, prefix string) int64 {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.metrics+"/metrics", nil)
	if err != nil {
		return -1
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return -1
	}
	defer func() { _ = answer.Body.Close() }()
	var sum float64
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() {
		if line := lines.Text(); strings.HasPrefix(line, prefix) {
			value, err := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:], 64)
			if err != nil {
				return -1
			}
			sum += value
		}
	}
	if lines.Err() != nil {
		return -1
	}
	return int64(sum)
}
