package kafkatest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/segmentio/kafka-go"
)

const (
	tailLines  = 20
	readyEvery = 100 * time.Millisecond
	askTimeout = 5 * time.Second
)

// node is one broker.
type node struct {
	cluster string // directory
	id      int
	address string
	cmd     *exec.Cmd
	done    chan struct{} // closed when it has ended
}

func (n *node) log() string {
	return filepath.Join(n.cluster, "node"+strconv.Itoa(n.id), "log")
}

// start starts the broker; it does not outlive this process.
func (n *node) start() error {
	if n.running() {
		return errors.New("it runs already")
	}
	path, err := scriptPath("node.sh")
	if err != nil {
		return err
	}
	cmd := exec.Command(path, n.cluster, strconv.Itoa(n.id), "run")
	cmd.SysProcAttr = dieWithParent()
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan struct{})
	n.cmd, n.done = cmd, done
	go func() {
		_ = cmd.Wait() // how it ended is in its state
		close(done)
	}()
	return nil
}

func (n *node) running() bool {
	if n.cmd == nil {
		return false
	}
	select {
	case <-n.done:
		return false
	default:
		return true
	}
}

func (n *node) signal(s os.Signal) error {
	if !n.running() {
		return nil
	}
	if err := n.cmd.Process.Signal(s); !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

func (n *node) pause() error  { return n.signal(syscall.SIGSTOP) }
func (n *node) resume() error { return n.signal(syscall.SIGCONT) }

func (n *node) kill() error {
	if err := n.signal(syscall.SIGKILL); err != nil || n.cmd == nil {
		return err
	}
	<-n.done
	return nil
}

// stop asks the broker to end, and forces it to when that takes too long, as it
// does while there is no quorum of controllers.
func (n *node) stop() error {
	if err := n.signal(syscall.SIGTERM); err != nil || n.cmd == nil {
		return err
	}
	select {
	case <-n.done:
		return nil
	case <-time.After(stopPatience):
		return n.kill()
	}
}

// ready waits until the broker answers and knows so many brokers.
func (n *node) ready(brokers int) error {
	ctx, cancel := context.WithTimeout(context.Background(), startPatience)
	defer cancel()
	again := time.NewTicker(readyEvery)
	defer again.Stop()
	for {
		err := n.knows(ctx, brokers)
		if err == nil {
			return nil
		}
		select {
		case <-again.C:
		case <-n.done:
			return fmt.Errorf("broker %d has ended by itself: %v", n.id, n.cmd.ProcessState)
		case <-ctx.Done():
			return fmt.Errorf("broker %d is not ready after %v: %w", n.id, startPatience, err)
		}
	}
}

func (n *node) knows(ctx context.Context, brokers int) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	conn, err := (&kafka.Dialer{}).DialContext(ctx, "tcp", n.address)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(askTimeout)); err != nil {
		return err
	}
	all, err := conn.Brokers()
	if err != nil {
		return err
	}
	if len(all) < brokers {
		return fmt.Errorf("it knows %d brokers of %d", len(all), brokers)
	}
	return nil
}

// tail returns the last lines of the broker's log.
func (n *node) tail() []byte {
	text, err := os.ReadFile(n.log())
	if err != nil {
		return []byte(err.Error())
	}
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return bytes.Join(lines[max(0, len(lines)-tailLines):], []byte("\n"))
}
