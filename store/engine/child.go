package engine

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
)

// instructions are what the parent tells the child in the first line of its
// standard input: a command line would show the password to everybody.
type instructions struct {
	Library  string `json:"library"`
	Path     string `json:"path"`
	Listen   string `json:"listen"`
	Password string `json:"password"`
	Memory   int64  `json:"memory"`
}

// maxInstructions bounds the line, bytes.
const maxInstructions = 64 << 10

// RunChild is the child process of a [Supervisor]: it takes its configuration
// from the first line of in, says on out when it is ready, and ends with ctx or
// when in does. Whatever else there is to say goes to log.
func RunChild(ctx context.Context, in io.Reader, out, log io.Writer) error {
	lease := bufio.NewReaderSize(in, maxInstructions)
	line, err := lease.ReadSlice('\n')
	if err != nil {
		return fmt.Errorf("read the instructions of the parent process: %w", err)
	}
	var i instructions
	if err := json.Unmarshal(line, &i); err != nil {
		return errors.New("read the instructions of the parent process: they are no JSON of this version")
	}
	return Run(ctx, Config{
		Library: i.Library, Path: i.Path, Listen: i.Listen, Password: i.Password, Memory: i.Memory,
		Lease: lease, Ready: out, Logger: slog.New(slog.NewTextHandler(log, nil)),
	})
}

// defaultCommand is this very program, run as the child.
func defaultCommand() ([]string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program's file: %w", err)
	}
	return []string{self, "engine", "child"}, nil
}
