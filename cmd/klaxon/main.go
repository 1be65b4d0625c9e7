// Command klaxon analyses Kubernetes audit logs and runs the detection
// pipeline behind the API server's audit webhook.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/klaxon-dev/klaxon/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	code := cli.Main(ctx, os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	stop()
	os.Exit(code)
}
