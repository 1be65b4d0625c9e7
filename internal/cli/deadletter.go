package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/klaxon-dev/klaxon/internal/output"
	"github.com/klaxon-dev/klaxon/internal/query"
	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/web/api"
)

func newDeadLetterCommand(streams Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "deadletter",
		Short: "Look at what came in and could not be read",
		Long: `A dead letter is what a sender handed over and klaxon could not read: an item
that is no audit event, a body that is no list of events, or what was left of one
that ends too early. Its neighbours were taken, and the sender was answered 200:
an API server would repeat a refused request and then lose all of it.

A letter could not be redacted, so it is kept encrypted. Listing takes the role
analyst, opening the role admin; both are recorded.

  klaxon deadletter list         when, why, of which cluster and sender
  klaxon deadletter show ID      what it holds

docs/operations.md says what each reason means and what to do.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("there is no command %q: list or show", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newDeadLetterList(streams), newDeadLetterShow(streams))
	return cmd
}

type deadLetterListFlags struct {
	ask     askFlags
	filters filterFlags
	pages   pageFlags
	format  output.Format
}

func newDeadLetterList(streams Streams) *cobra.Command {
	f := deadLetterListFlags{filters: filterFlags{filters: deadLetterFilters()}, format: output.FormatTable}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List dead letters, without what they hold",
		Long: `List prints the dead letters that pass every filter, the one received last
first: of the last 24 hours, unless --since or --until says otherwise. It takes
the role analyst.

A filter that is given more than once lets through what equals any of its values;
a value that ends in * stands for all that begin so. -o json and ndjson print
letters in the schema klaxon.deadletter/v1.`,
		Example: `  # did anybody send something broken today?
  klaxon deadletter list

  # bodies that were not what they should be, of one cluster, in a week
  klaxon deadletter list --reason 'body_*' --cluster prod-1 --since 7d

  # how many for each reason and sender
  klaxon deadletter list --since 7d --all -o ndjson |
    jq -r '[.reason, .sender] | @tsv' | sort | uniq -c`,
		Args: exactly(0, "list takes flags only, as 'klaxon deadletter list --since 7d'; 'klaxon deadletter show ID' opens one"),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context(), streams, cmd.Flags()) },
	}
	f.filters.add(cmd)
	f.pages.add(cmd)
	addFormat(cmd, &f.format)
	f.ask.add(cmd.Flags())
	return cmd
}

func deadLetterFilters() []filterFlag {
	return []filterFlag{
		{name: "cluster", usage: "name of the cluster"},
		{name: "reason", usage: "why it was set aside, as syntax or body_unclosed", words: topic.LetterReasons()},
		{name: "sender", usage: "name of the sender"},
	}
}

func (f *deadLetterListFlags) run(ctx context.Context, streams Streams, flags *pflag.FlagSet) error {
	if err := f.pages.check(flags); err != nil {
		return err
	}
	q, err := api.ParseDeadLetters(f.filters.query(flags), time.Now())
	if err != nil {
		return f.filters.usage(err)
	}
	c, err := f.ask.client()
	if err != nil {
		return err
	}
	printed, more, err := printPages(ctx, &f.pages, func(ctx context.Context, limit int, cursor string) ([]query.DeadLetter, string, error) {
		q.Limit, q.Cursor = limit, cursor
		page, err := c.SearchDeadLetters(ctx, q)
		return page.Letters, page.Next, err
	}, output.NewDeadLetters(streams.Out, f.format))
	if err != nil {
		return err
	}
	closing(streams, "dead letters", q.Since, printed, more)
	return nil
}

type deadLetterShowFlags struct {
	ask    askFlags
	raw    bool
	format output.Format
}

func newDeadLetterShow(streams Streams) *cobra.Command {
	f := deadLetterShowFlags{format: output.FormatTable}
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Open one dead letter",
		Long: `Show opens a dead letter: why it was set aside, where it came from, how much of
it is kept, where it breaks, and its text around that place, in lines that begin
with "| ". What could act on a terminal or hide there is spelled out, as \x1b. It
takes the role admin, and the opening is recorded with your name.

What it holds could not be redacted: it may hold passwords and tokens. --raw
writes its exact bytes to a file or a pipe; on a terminal it refuses. -o json
prints it in the schema klaxon.deadletter/v1, its text in base64.

A letter that another redaction key sealed than the one that serve has now stays
closed: the answer says which key it takes.`,
		Example: `  klaxon deadletter show 6f1c0e7a5d3b49f28a6e0c4d2b1f9e37
  klaxon deadletter show 6f1c0e7a5d3b49f28a6e0c4d2b1f9e37 --raw > letter.bin
  klaxon deadletter show 6f1c0e7a5d3b49f28a6e0c4d2b1f9e37 --raw | hexdump -C | less`,
		Args: exactly(1, "name one dead letter: 'klaxon deadletter list' shows their ids"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd.Context(), streams, cmd.Flags(), args[0])
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	cmd.Flags().BoolVar(&f.raw, "raw", false, "write its exact bytes, to a file or a pipe only")
	addFormat(cmd, &f.format)
	f.ask.add(cmd.Flags())
	return cmd
}

func (f *deadLetterShowFlags) run(ctx context.Context, streams Streams, flags *pflag.FlagSet, text string) error {
	id, err := query.ParseDeadLetterID(text)
	switch {
	case err != nil:
		return usagef("%q is not the id of a dead letter: 'klaxon deadletter list' shows ids of 32 hexadecimal digits", text)
	case f.raw && flags.Changed("output"):
		return usagef("--raw and --output exclude one another: leave one out")
	case f.raw && isTerminal(streams.Out):
		// Before it is asked for: an opening that shows nothing is no news.
		return usagef("--raw does not write to a terminal: a dead letter may hold anything; add '> FILE' or '| hexdump -C'")
	}
	c, err := f.ask.client()
	if err != nil {
		return err
	}
	opened, err := c.OpenDeadLetter(ctx, id)
	if err != nil {
		return err
	}
	if f.raw {
		_, err := streams.Out.Write(opened.Text)
		return err
	}
	return output.WriteDeadLetter(streams.Out, f.format, &opened)
}
