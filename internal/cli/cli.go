// Package cli is the command line: one file per subcommand.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/klaxon-dev/klaxon/internal/output"
)

// Exit codes. They are part of the command line's contract.
const (
	exitOK      = 0
	exitFailed  = 1
	exitUsage   = 2 // the command line is wrong
	exitFinding = 3 // --fail-on found something as bad
)

// Streams are the standard streams of a run.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// usageError is an error of the command line's words: exit status 2.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// usagef makes a usageError. The text says what is wrong and what to do.
func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// exitError ends the run with a code of its own and says nothing more.
type exitError struct{ code int }

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", e.code) }

// Main runs the command line and returns the exit status.
func Main(ctx context.Context, args []string, streams Streams) int {
	root := newRoot(streams)
	root.SetArgs(args)
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.Err)
	err := root.ExecuteContext(ctx)
	var exit exitError
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &exit):
		return exit.code
	case errors.As(err, &usage):
		fmt.Fprintf(streams.Err, "klaxon: %s\n", output.Message(err.Error()))
		return exitUsage
	default:
		fmt.Fprintf(streams.Err, "klaxon: %s\n", output.Message(err.Error()))
		return exitFailed
	}
}

func newRoot(streams Streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "klaxon",
		Short: "Detect attacks in Kubernetes audit logs, as files or as a stream",
		Long: `Klaxon reads the audit events of Kubernetes API servers, applies detection
rules to them and keeps both, so that they can be searched and proven.

  klaxon scan audit.log      find attacks in log files
  klaxon serve               receive events from API servers, detect, store
  klaxon findings            what was found
  klaxon events              who did what`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("there is no command %q: 'klaxon --help' lists them", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%v: '%s --help' lists the flags", err, cmd.CommandPath())
	})
	root.AddCommand(commands(streams)...)
	return root
}
