package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/klaxon-dev/klaxon/ingest/tail"
	"github.com/klaxon-dev/klaxon/internal/app"
	"github.com/klaxon-dev/klaxon/internal/datadir"
	"github.com/klaxon-dev/klaxon/internal/output"
)

type tailFlags struct {
	destination
	state, from, output string
	once                bool
	maxRetry            time.Duration
	metrics             app.MetricsConfig
}

func newTailCommand(streams Streams) *cobra.Command {
	f := tailFlags{from: string(tail.FromStart), output: "text"}
	cmd := &cobra.Command{
		Use:   "tail FILE",
		Short: "Follow an API server's audit log and bring it to a webhook receiver",
		Long: `Tail reads the audit log that an API server writes to a file (--audit-log-path)
and sends its events to a webhook receiver, while the file grows and is rotated:
the second way for events beside the webhook, which loses what it could not
deliver for some minutes and what is under way when the API server ends. An
event that comes by both is known by its content and kept once.

How far it came is stored only when the receiver has all before it on its disk.
Whatever ends, the next run goes on from there: in the file itself, in what it
was renamed to or compressed to meanwhile, and in those that were begun after
it. If that file is gone, tail says between which events something may be
missing, and counts it. A line that is no event is kept by the receiver, sealed,
as a dead letter. A line is read when its newline is there.

Without --to it sends to the local serve, with a credential made by
'klaxon sender add'. It waits for a receiver that does not answer or accept, as
long as that asks for, and says so at most once a minute. The token's file is
read again for each request.

It stops on SIGINT and SIGTERM: it stores how far it came and ends.

Exit status: 0 when it was stopped, or with --once when the receiver has
accepted everything; 1 if not; 2 if the command line is wrong.`,
		Example: `  klaxon sender add demo && klaxon tail /var/log/kubernetes/audit/audit.log
  klaxon tail --to https://klaxon.example.com:9443/webhook/prod-1 \
      --token-file /etc/klaxon/prod-1.token --ca-file /etc/klaxon/ca.crt \
      --state /var/lib/klaxon-tail/prod-1.json /var/log/kubernetes/audit/audit.log
  klaxon tail --once --from oldest -o json audit.log`,
		Args: oneFile,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd.Context(), streams, args[0]) },
	}
	flags := cmd.Flags()
	f.add(flags)
	flags.BoolVar(&f.once, "once", false, "end where there is nothing more to read")
	flags.StringVar(&f.from, "from", f.from, "where to begin without a stored position: start or end of the file, or oldest: its oldest rotated file")
	flags.StringVar(&f.state, "state", "", "file to store the position in (default: in the data directory, named after file and receiver)")
	flags.DurationVar(&f.maxRetry, "max-retry-time", 0, "give up when a request is not accepted for so long (default: never; with --once 5m)")
	flags.StringVar(&f.metrics.Listen, "metrics", "", "address to serve Prometheus metrics on, as 127.0.0.1:9446 (default: none)")
	flags.StringVar(&f.metrics.TokenFile, "metrics-token-file", "", "file of the token that /metrics asks for; needed where --metrics is reached from other machines")
	flags.StringVarP(&f.output, "output", "o", f.output, "what to print at the end: text or json")
	completeWords(cmd, "from", string(tail.FromStart), string(tail.FromOldest), string(tail.FromEnd))
	completeWords(cmd, "output", "text", "json")
	return cmd
}

func oneFile(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usagef("name one file to follow: klaxon tail /var/log/kubernetes/audit/audit.log")
	}
	if info, err := os.Stat(args[0]); err == nil && !info.Mode().IsRegular() {
		return usagef("%s is not a regular file: name the file that the API server's --audit-log-path names", args[0])
	}
	return nil
}

func (f *tailFlags) run(ctx context.Context, streams Streams, file string) error {
	switch tail.From(f.from) {
	case tail.FromStart, tail.FromOldest, tail.FromEnd:
	default:
		return usagef("--from %q: want start, oldest or end", f.from)
	}
	write, ok := map[string]func(io.Writer, tail.Stats) error{"text": writeTailText, "json": writeTailJSON}[f.output]
	if !ok {
		return usagef("-o %q: want text or json", f.output)
	}
	file, err := filepath.Abs(file)
	if err != nil {
		return err
	}
	to, err := f.resolve()
	if err != nil {
		return err
	}
	state, err := f.openState(file, to.URL)
	if err != nil {
		return err
	}
	defer state.Close()
	logger := f.logger(streams.Err)
	registry := prometheus.NewRegistry()
	if f.metrics.Listen != "" {
		address, stop, err := app.ServeMetrics(f.metrics, registry, logger)
		if err != nil {
			return fmt.Errorf("--metrics: %w", err)
		}
		defer stop()
		logger.Info("serving metrics", "url", "http://"+address+"/metrics")
	}
	bar := f.progress(streams.Err, file)
	stats, err := tail.Run(ctx, tail.Config{
		File: file, State: state, From: tail.From(f.from), Once: f.once, Post: to.post, MaxRetry: f.patience(),
		Logger: logger, Now: time.Now, Registerer: registry, Sent: bar.sent,
	})
	bar.finish()
	if stats.File != "" {
		err = errors.Join(err, write(streams.Out, stats))
	}
	return unreachable(to.URL, err)
}

// onceRetries bounds how long a run waits for the receiver that is to end.
const onceRetries = 5 * time.Minute

func (f *tailFlags) patience() time.Duration {
	if f.once && f.maxRetry == 0 {
		return onceRetries
	}
	return f.maxRetry
}

// logger returns what is said on the way: of a run that ends by itself, only
// what somebody should know.
func (f *tailFlags) logger(w io.Writer) *slog.Logger {
	c := app.LogConfig{Level: "info", Format: "text"}
	if f.once {
		c.Level = "warn"
	}
	return c.NewLogger(w)
}

// openState opens the file of the position.
func (f *tailFlags) openState(file, url string) (*tail.State, error) {
	path := f.state
	if path == "" {
		dir, err := datadir.Resolve(f.dataDir)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256([]byte(file + "\x00" + url))
		path = filepath.Join(dir.Tail(), filepath.Base(file)+"-"+hex.EncodeToString(sum[:8])+".json")
	}
	return tail.OpenState(path)
}

func writeTailText(w io.Writer, s tail.Stats) error {
	_, err := fmt.Fprintf(w, "%s in %s sent in %s, %d sent again, %d malformed; up to byte %d of %s\n",
		plural(s.Events, "event"), plural(s.Lines, "line"), plural(s.Requests, "request"), s.Retries, s.Malformed, s.Offset, output.Text(s.File, 512))
	return err
}

func writeTailJSON(w io.Writer, s tail.Stats) error { return writeJSON(w, s) }
