package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// cleanups is a stack of named things to do at the end, last in first out.
type cleanups struct {
	logger *slog.Logger
	stack  []cleanup
}

type cleanup struct {
	name string
	do   func(context.Context) error
}

// add registers what undoes the thing that was just built.
func (c *cleanups) add(name string, do func(context.Context) error) {
	c.stack = append(c.stack, cleanup{name, do})
}

// run does all of them, each whatever became of the one before.
func (c *cleanups) run(ctx context.Context) error {
	var problems []error
	for i := len(c.stack) - 1; i >= 0; i-- {
		step := c.stack[i]
		started := time.Now()
		err := step.do(ctx)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", step.name, err))
		}
		c.logger.Debug("stopped", "what", step.name, "seconds", time.Since(started).Seconds(), "error", err)
	}
	c.stack = nil
	return errors.Join(problems...)
}
