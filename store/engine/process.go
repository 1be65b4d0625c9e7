package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"time"
)

const (
	// startPatience is how long a child may take to be ready. It waits itself
	// for a predecessor that still closes.
	startPatience = lockPatience + time.Minute
	// pipePatience is how long output of a dead child is waited for.
	pipePatience = 5 * time.Second
)

// process is one run of the child.
type process struct {
	cmd    *exec.Cmd
	lease  io.Closer      // its standard input: closing it asks the child to end
	ready  chan Readiness // gets one element when the child is ready
	ended  chan struct{}  // closed when the child has ended and err is set
	err    error          // why it ended
	stderr tail
}

// startProcess starts the child and hands it its instructions. It does not wait
// for it to be ready.
func startProcess(argv, env []string, i instructions, logger *slog.Logger) (*process, error) {
	p := &process{ready: make(chan Readiness, 1), ended: make(chan struct{})}
	p.cmd = exec.Command(argv[0], argv[1:]...)
	p.cmd.Env = append([]string{"TZ=UTC"}, env...) // nothing of the parent's own: it may hold secrets
	p.cmd.SysProcAttr = ownGroup()
	p.cmd.WaitDelay = pipePatience
	p.cmd.Stdout = &lines{each: p.said}
	p.cmd.Stderr = &lines{each: func(line string) {
		p.stderr.add(line)
		logger.Info("engine process", "line", line)
	}}
	lease, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	p.lease = lease
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the engine process: %w", err)
	}
	go p.wait()
	line, err := json.Marshal(i)
	if err != nil {
		return nil, err
	}
	_, _ = lease.Write(append(line, '\n')) // a child that has died already says so by itself
	return p, nil
}

// said takes a line of standard output: the readiness, or chatter.
func (p *process) said(line string) {
	var r Readiness
	if json.Unmarshal([]byte(line), &r) == nil && r.Ready {
		select {
		case p.ready <- r:
		default:
		}
	}
}

func (p *process) wait() {
	err := p.cmd.Wait()
	if err == nil {
		err = errors.New("it ended")
	}
	p.err = fmt.Errorf("the engine process is gone: %w", err)
	if said := p.stderr.String(); said != "" {
		p.err = fmt.Errorf("%w: it said: %s", p.err, said)
	}
	close(p.ended)
}

// awaitReady waits until the child is ready, has died, has taken too long, or
// ctx ends; in all cases but the first it is dead afterwards.
func (p *process) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startPatience, errors.New("the engine process takes too long to be ready"))
	defer cancel()
	select {
	case <-p.ready:
		return nil
	case <-p.ended:
		return p.err
	case <-ctx.Done():
		p.kill()
		return context.Cause(ctx)
	}
}

// end asks the child to end and waits for it; when ctx ends it is killed.
func (p *process) end(ctx context.Context) {
	p.lease.Close()
	select {
	case <-p.ended:
	case <-ctx.Done():
		p.kill()
	}
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill() // fails only where the process has ended
	<-p.ended
}
