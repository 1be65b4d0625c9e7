package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/klaxon-dev/klaxon/internal/app"
	"github.com/klaxon-dev/klaxon/internal/datadir"
)

func newServeCommand(streams Streams) *cobra.Command {
	var config, dataDir, roles string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Receive audit events, detect, store, and answer questions",
		Long: `Serve runs the whole pipeline in one process: the receiver of the API servers'
audit webhook, the durable log, detection, the store and its API.

With the log in Kafka (stream.kind: kafka; 'klaxon kafka init' makes the topics)
a process may run a part of it: --roles names any of ingest, match, window,
store and api. Each role scales by adding processes, and a process that dies is
replaced by the others of its role.

Without --config it listens on loopback, with certificates, tokens and a
redaction key that it makes in its data directory (readable by you alone), and
keeps events in the embedded ClickHouse engine ('klaxon engine fetch' gets it).

It stops on SIGINT and SIGTERM: it accepts no more, finishes what it accepted,
and goes on from there when it is started again. On SIGHUP, and when their files
change, it reads the rules again.`,
		Example: `  klaxon serve
  klaxon serve --config /etc/klaxon/klaxon.yaml
  klaxon serve --config /etc/klaxon/klaxon.yaml --roles match,window`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var only app.Roles
			if cmd.Flags().Changed("roles") { // also to nothing: a variable that is not set must not mean all
				var err error
				if only, err = app.ParseRoles(roles); err != nil {
					return usageError{fmt.Errorf("--%w", err)}
				}
			}
			return serve(cmd.Context(), streams, config, dataDir, only)
		},
	}
	cmd.Flags().StringVar(&config, "config", "", "configuration file (YAML); without it, everything on loopback")
	cmd.Flags().StringVar(&dataDir, "data-dir", "", "where to keep data (default $KLAXON_DATA_DIR or ~/.local/state/klaxon)")
	cmd.Flags().StringVar(&roles, "roles", "", "parts of the pipeline that this process runs, with commas between them: ingest, match, window, store, api (default all)")
	return cmd
}

func serve(ctx context.Context, streams Streams, configFile, dataDir string, only app.Roles) error {
	config, dir, err := app.ReadConfig(configFile, dataDir, only)
	if err != nil {
		return usageError{err}
	}
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	a, err := app.New(ctx, config, app.Options{
		DataDir: dir,
		Logger:  config.Log.NewLogger(streams.Err),
		Clock:   time.Now,
	})
	if err != nil {
		return err
	}
	welcome(streams, dir, a.Where())
	ctx, stop := context.WithCancel(ctx)
	reloading := make(chan struct{})
	go func() {
		defer close(reloading)
		reloadOn(ctx, hangups, a)
	}()
	err = a.Run(ctx)
	stop()
	<-reloading
	return err
}

// reloadOn makes serve read its rules again at each signal, until ctx ends.
func reloadOn(ctx context.Context, hangups <-chan os.Signal, a *app.App) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangups:
			a.Reload()
		}
	}
}

// welcome says where everything is.
func welcome(streams Streams, dir datadir.Dir, at app.Where) {
	out := &strings.Builder{}
	line := func(format string, args ...any) { fmt.Fprintf(out, format+"\n", args...) }
	line("klaxon is serving")
	if at.Webhook != "" {
		line("  webhook  %s", at.Webhook)
	}
	if at.API != "" {
		line("  api      %s", at.API)
	}
	line("  metrics  %s", at.Metrics)
	line("  data     %s", dir)
	line("  in it    %s\n", strings.Join(contents(dir), ", "))
	if at.Webhook != "" {
		line("  connect an API server    klaxon sender add CLUSTER")
	}
	if at.API != "" {
		line("  what was found           klaxon findings")
		line("  who did what             klaxon events --since 1h")
	}
	fmt.Fprint(streams.Out, out)
}

// contents says what the data directory holds that people look for.
func contents(dir datadir.Dir) (found []string) {
	for _, one := range []struct{ path, is string }{
		{dir.TLS(), "tls (certificates)"},
		{dir.Senders(), "senders (tokens of clusters)"},
		{dir.AdminToken(), "admin.token (token for the API)"},
		{dir.RedactionKey(), "redaction.key (key of redaction)"},
	} {
		if _, err := os.Stat(one.path); err == nil {
			found = append(found, one.is)
		}
	}
	return found
}
