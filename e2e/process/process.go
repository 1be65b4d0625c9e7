// Package process runs the programs of the end-to-end tests: each with a log of
// its own, waited for until it answers, and stopped by its id.
package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Process is one running program. Its methods are safe for concurrent use.
type Process struct {
	name, log string
	cmd       *exec.Cmd
	done      chan struct{} // closed when it has ended
}

// Start starts a program whose two outputs are appended to a file. It does not
// outlive this process, where the system can see to that.
func Start(path, log string, args ...string) (*Process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }()
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = dieWithParent()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", filepath.Base(path), err)
	}
	p := &Process{name: filepath.Base(path), log: log, cmd: cmd, done: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // how it ended is in its state
		close(p.done)
	}()
	return p, nil
}

// Stop asks the process to end, and forces it to when that takes longer than
// grace. The error says so, or that it had ended before.
func (p *Process) Stop(grace time.Duration) error {
	if p.ended() {
		return p.died()
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", p.name, err)
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(grace):
	}
	_ = p.cmd.Process.Kill()
	<-p.done
	return fmt.Errorf("%s did not stop within %v and was killed: see %s", p.name, grace, p.log)
}

// Kill ends the process by SIGKILL. It is an error if it had ended before.
func (p *Process) Kill() error {
	if p.ended() {
		return p.died()
	}
	if err := p.cmd.Process.Kill(); err != nil {
		return fmt.Errorf("kill %s: %w", p.name, err)
	}
	<-p.done
	return nil
}

// Pause stops the process without ending it (SIGSTOP). It is an error if it had
// ended before.
func (p *Process) Pause() error { return p.signal("pause", syscall.SIGSTOP) }

// Resume lets a paused process go on (SIGCONT). It is an error if it had ended
// before.
func (p *Process) Resume() error { return p.signal("resume", syscall.SIGCONT) }

func (p *Process) signal(what string, s os.Signal) error {
	if p.ended() {
		return p.died()
	}
	if err := p.cmd.Process.Signal(s); err != nil {
		return fmt.Errorf("%s %s: %w", what, p.name, err)
	}
	return nil
}

// Done returns a channel that is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

func (p *Process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// died says that the process has ended although nobody asked it to.
func (p *Process) died() error {
	return fmt.Errorf("%s has ended by itself (%v); the end of %s:\n%s", p.name, p.cmd.ProcessState, p.log, p.tail())
}

// tail returns the last lines of the log.
func (p *Process) tail() []byte {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return []byte(err.Error())
	}
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return bytes.Join(lines[max(0, len(lines)-10):], []byte("\n"))
}

// PID returns the process's id.
func (p *Process) PID() int { return p.cmd.Process.Pid }
