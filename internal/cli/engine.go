package cli

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/klaxon-dev/klaxon/internal/output"
	"github.com/klaxon-dev/klaxon/internal/secretfile"
	"github.com/klaxon-dev/klaxon/store/engine"
)

func newEngineCommand(streams Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "engine",
		Short: "Get and run the embedded ClickHouse engine",
		Long: `The embedded engine stores events where no ClickHouse server does. It is the
library libchdb, which 'klaxon engine fetch' gets through the npm client, loaded
into a process of its own. 'klaxon serve' starts and supervises that process;
'klaxon engine run' starts one by hand.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newEngineFetch(streams), newEngineRun(streams), newEngineChild(streams))
	return cmd
}

func newEngineFetch(streams Streams) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "fetch",
		Short: "Download the engine's library, once",
		Long: `Fetch gets the engine's library (version ` + engine.Version + `, 178 MB packed,
566 MB on disk) by the npm client, which must be installed, from the registry
that npm is configured for. It checks the published hashes and prints the
library's path. Where the library is already there, nothing is downloaded.

The engine runs on linux/amd64 with glibc.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, err := engine.Fetch(cmd.Context(), dir, engine.FetchOptions{
				Progress: func(line string) { fmt.Fprintln(streams.Err, output.Message(line)) },
			})
			if err != nil {
				return err
			}
			fmt.Fprintln(streams.Out, path)
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "directory for the library (default klaxon/engine/"+engine.Version+" in the user's cache directory)")
	return cmd
}

func newEngineRun(streams Streams) *cobra.Command {
	var c engine.Config
	var passwordFile string
	memory := byteSize(engine.DefaultMemory)
	cmd := &cobra.Command{
		Use:   "run --path DIR --listen unix:SOCKET|127.0.0.1:PORT",
		Short: "Run the engine as a ClickHouse server for this machine",
		Long: `Run opens the data in a directory and serves ClickHouse's HTTP interface, as far
as clickhouse-go (protocol HTTP) and curl need it, on a unix socket or a loopback
address. When clients can come, it prints one line of JSON that says where. It
ends on SIGINT or SIGTERM, after the statements that run.

Clients log in as the user "` + engine.User + `". Without --password-file the password is in
the file "password" in the directory, a random one at first.

  klaxon engine run --path ./data --listen 127.0.0.1:8123 &
  curl -u ` + engine.User + `:$(cat data/password) 127.0.0.1:8123 -d 'SHOW DATABASES'

Files, other servers and users are out of the reach of its SQL.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if c.Path == "" || c.Listen == "" {
				return usagef("--path and --listen are needed: 'klaxon engine run --help' shows an example")
			}
			c.Memory, c.Ready = int64(memory), streams.Out
			c.Logger = slog.New(slog.NewTextHandler(output.Log{W: streams.Err}, nil))
			return runEngine(cmd, c, passwordFile)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&c.Path, "path", "", "directory of the data, made if need be")
	flags.StringVar(&c.Listen, "listen", "", "where clients come: unix:SOCKET or a loopback address")
	flags.StringVar(&c.Library, "lib", "", "file of the library (default: where 'klaxon engine fetch' puts it)")
	flags.Var(&memory, "memory", "memory limit, such as 1536MiB or 4GiB")
	flags.StringVar(&passwordFile, "password-file", "", "file that holds the password, readable by you alone (mode 0600)")
	return cmd
}

func runEngine(cmd *cobra.Command, c engine.Config, passwordFile string) error {
	var err error
	if passwordFile != "" {
		if c.Password, err = secretfile.Read(passwordFile); err != nil {
			return err
		}
	}
	if c.Library == "" {
		if c.Library, err = engine.LibraryPath(""); err != nil {
			return err
		}
	}
	if _, err := os.Stat(c.Library); err != nil {
		return fmt.Errorf("engine library: %w: 'klaxon engine fetch' gets it", err)
	}
	return engine.Run(cmd.Context(), c)
}

// newEngineChild is what 'klaxon serve' starts.
func newEngineChild(streams Streams) *cobra.Command {
	return &cobra.Command{
		Use:    "child",
		Short:  "Run the engine for a parent process, which says how on standard input",
		Hidden: true,
		Args:   noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return engine.RunChild(cmd.Context(), streams.In, streams.Out, streams.Err)
		},
	}
}
