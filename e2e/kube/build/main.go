// Command build builds the control plane of the end-to-end tests, once.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/klaxon-dev/klaxon/e2e/kube"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := kube.Build(ctx, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "build:", err)
		os.Exit(1)
	}
}
