package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/ingest"
	"github.com/klaxon-dev/klaxon/internal/output"
	"github.com/klaxon-dev/klaxon/internal/scan"
)

type replayFlags struct {
	destination
	moveToNow   bool
	batch       int
	rate, speed float64
}

func newReplayCommand(streams Streams) *cobra.Command {
	f := replayFlags{batch: ingest.DefaultReplayBatch}
	cmd := &cobra.Command{
		Use:   "replay FILE|DIR…",
		Short: "Send recorded audit events to a webhook receiver, as an API server would",
		Long: `Replay reads audit logs and sends their events to a webhook receiver in the
requests of an API server: EventList bodies over TLS and HTTP/2, and again where
an answer asks for it. Without --to it sends to the local serve, with a
credential made by 'klaxon sender add'.

It reads what 'klaxon scan' reads. What is no audit event is named and skipped.

Exit status: 0 when the receiver has accepted every event; 1 if not; 2 if the
command line is wrong.`,
		Example: `  klaxon sender add demo && klaxon replay --move-to-now audit.log
  klaxon replay --to https://klaxon.example.com:9443/webhook/prod-1 \
      --token-file prod-1.token --ca-file ca.crt /var/log/kubernetes/
  klaxon replay --rate 500 audit-2026-01-02.log.gz`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("name the files to send: klaxon replay audit.log")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd.Context(), streams, args) },
	}
	flags := cmd.Flags()
	f.add(flags)
	flags.BoolVar(&f.moveToNow, "move-to-now", false, "move all times by as much as makes the last event happen now")
	flags.IntVar(&f.batch, "batch", f.batch, "events in a request, at most")
	flags.Float64Var(&f.rate, "rate", 0, "events a second, at most (default: as fast as they are accepted)")
	flags.Float64Var(&f.speed, "speed", 0, "keep the recorded pace, so many times faster: 1 is as it was (default: no pace)")
	return cmd
}

func (f *replayFlags) run(ctx context.Context, streams Streams, paths []string) error {
	if f.batch < 1 || f.batch > 10_000 || f.rate < 0 || f.speed < 0 {
		return usagef("--batch is 1 to 10000, --rate and --speed are not negative")
	}
	inputs, _, err := scan.Inputs(paths)
	if err != nil {
		return err
	}
	config, err := f.config()
	if err != nil {
		return err
	}
	if f.moveToNow {
		if config.Delta, err = deltaToNow(streams, inputs); err != nil {
			return err
		}
	}
	said, wipe := replayProgress(streams.Err)
	config.Sent = said
	skipped := 0
	stats, err := ingest.Replay(ctx, config, recorded(streams, inputs, func(what string) {
		if skipped++; skipped <= maxNamed {
			wipe()
			fmt.Fprintln(streams.Err, output.Text(what, 512))
		}
	}))
	wipe()
	fmt.Fprintf(streams.Err, "%s sent in %s, %d sent again, %d skipped\n",
		plural(int64(stats.Events), "event"), plural(int64(stats.Requests), "request"), stats.Retries, skipped)
	return unreachable(config.URL, err)
}

// config says where to and as whom events are sent.
func (f *replayFlags) config() (ingest.ReplayConfig, error) {
	c := ingest.ReplayConfig{Batch: f.batch, Rate: f.rate, Speed: f.speed}
	to, err := f.resolve()
	if err != nil {
		return c, err
	}
	c.URL, c.Client = to.URL, to.Client
	c.Token, err = to.token()
	return c, err
}

// deltaToNow reads all events for the time of the last one.
func deltaToNow(streams Streams, inputs []scan.Input) (time.Duration, error) {
	var last time.Time
	for _, in := range inputs {
		if in.Path == scan.Stdin {
			return 0, usagef("--move-to-now reads its input twice: name files instead of -")
		}
	}
	for event, err := range recorded(streams, inputs, func(string) {}) {
		if err != nil {
			return 0, err
		}
		if at, err := ingest.EventTime(event); err == nil && at.After(last) {
			last = at
		}
	}
	if last.IsZero() {
		return 0, errors.New("--move-to-now: no event has a time")
	}
	return time.Since(last), nil
}

// recorded reads the events of the inputs, one after the other. What is no
// event is told to skip.
func recorded(streams Streams, inputs []scan.Input, skip func(what string)) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for _, in := range inputs {
			if !recordedIn(streams, in, skip, yield) {
				return
			}
		}
	}
}

// recordedIn reads one input. It returns false when no more events are wanted.
func recordedIn(streams Streams, in scan.Input, skip func(string), yield func([]byte, error) bool) bool {
	src, err := openInput(streams, in)
	if err != nil {
		return yield(nil, err)
	}
	defer src.Close()
	plain, err := audit.Decompress(src)
	if err != nil {
		return yield(nil, fmt.Errorf("%s: %w", in.Path, err))
	}
	reader := audit.NewReader(plain, audit.SplitLimits{})
	for {
		item, line, err := reader.Next()
		var bad *audit.ItemError
		switch {
		case err == nil:
			if !yield(item, nil) {
				return false
			}
		case errors.Is(err, io.EOF):
			return true
		case errors.As(err, &bad):
			skip(fmt.Sprintf("%s:%d: skipped: %v", in.Path, line, err))
		default:
			return yield(nil, fmt.Errorf("%s: %w", in.Path, err))
		}
	}
}

func openInput(streams Streams, in scan.Input) (io.ReadCloser, error) {
	if in.Path == scan.Stdin {
		return io.NopCloser(streams.In), nil
	}
	return os.Open(in.Path)
}

// replayProgress says on a terminal how many events were sent.
func replayProgress(w io.Writer) (said func(ingest.ReplayStats), wipe func()) {
	if !isTerminal(w) {
		return func(ingest.ReplayStats) {}, func() {}
	}
	return func(s ingest.ReplayStats) {
			fmt.Fprintf(w, "\r\x1b[K%d events sent", s.Events)
			if s.Retries > 0 {
				fmt.Fprintf(w, ", %d requests sent again", s.Retries)
			}
		}, func() {
			fmt.Fprint(w, "\r\x1b[K")
		}
}
