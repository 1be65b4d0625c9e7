package chaos

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/klaxon-dev/klaxon/internal/app"
	"github.com/klaxon-dev/klaxon/internal/cli"
)

// IsNode reports whether this process was started to be a node, by a test or by
// a node that starts its engine: those of tests have flags alone.
func IsNode() bool { return len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-") }

// RunNode is the main function of a node and returns its exit status. Its
// arguments are klaxon's, or 'serve CLOCK CONFIG DATADIR ROLES': klaxon's serve
// with the clock of a file. Where the role is not ingest, it is the clock of the log
// alone: brokers give records times of their own, which say how late a receiver's
// may be.
func RunNode() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	args := os.Args[1:]
	if len(args) != 5 || args[0] != "serve" {
		return cli.Main(ctx, args, cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	}
	if err := serve(ctx, args[1], args[2], args[3], args[4]); err != nil {
		fmt.Fprintln(os.Stderr, "node:", err)
		return 1
	}
	return 0
}

func serve(ctx context.Context, clockFile, configFile, dataDir, roles string) error {
	clock, err := NewClock(clockFile)
	if err != nil {
		return err
	}
	only, err := app.ParseRoles(roles)
	if err != nil {
		return err
	}
	config, dir, err := app.ReadConfig(configFile, dataDir, only)
	if err != nil {
		return err
	}
	go clock.Run(ctx) // until the process ends
	options := app.Options{DataDir: dir, Logger: config.Log.NewLogger(os.Stderr), Clock: clock.Now}
	if !config.Roles.Has(app.RoleIngest) {
		options.Clock = time.Now
		options.Consumer = clock.Moving
	}
	a, err := app.New(ctx, config, options)
	if err != nil {
		return err
	}
	return a.Run(ctx)
}
