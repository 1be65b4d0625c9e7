package app

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"testing"

	"github.com/klaxon-dev/klaxon/store/engine"
)

// TestMain runs the tests, or the engine where the process is the child of one
// of them: a supervisor starts its own program as 'engine child'.
func TestMain(m *testing.M) {
	if !slices.Equal(os.Args[1:], []string{"engine", "child"}) {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := engine.RunChild(ctx, os.Stdin, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
