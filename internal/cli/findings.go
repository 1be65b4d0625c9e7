package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/internal/output"
	"github.com/klaxon-dev/klaxon/internal/query"
	"github.com/klaxon-dev/klaxon/web/api"
	"github.com/klaxon-dev/klaxon/web/api/client"
)

type findingsFlags struct {
	ask      askFlags
	filters  filterFlags
	severity string
	shadow   string
	pages    pageFlags
	format   output.Format
}

func newFindingsCommand(streams Streams) *cobra.Command {
	f := findingsFlags{filters: filterFlags{filters: findingFilters()}, format: output.FormatTable}
	cmd := &cobra.Command{
		Use:   "findings [ID]",
		Short: "List what was found, or show one finding in full",
		Long: `Findings lists what the rules found, of the last 24 hours unless --since or
--until says otherwise: in a table the most severe first; in JSON, and with
--all, the one that was seen last first. A finding is of a time in which any of
its events lies. Those of rules in shadow mode, which are tried out, are hidden
unless --shadow asks for them; they are marked (shadow).

With an ID, which the table shows last, it shows that finding and the events that
it lists.

A filter that is given more than once lets through what equals any of its values;
a value that ends in * stands for all that begin so. -o json and ndjson print
findings in the schema klaxon.finding/v1.`,
		Example: `  # what is urgent
  klaxon findings --severity high

  # what one account set off in a week
  klaxon findings --user system:serviceaccount:shop:web --since 7d

  # what a rule that is tried out would have raised
  klaxon findings --rule new-rule --shadow only

  # one finding with its events, and then what else was done by its actor
  klaxon findings 6f1c0e7a5d3b49f28a6e0c4d2b1f9e37
  klaxon events --user jo --since 2h

  # how often each rule fired
  klaxon findings --since 7d --all -o ndjson | jq -r .rule | sort | uniq -c`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("name one finding by its id (klaxon findings ID), or none for the list")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return f.show(cmd.Context(), streams, args[0])
			}
			return f.list(cmd.Context(), streams, cmd.Flags())
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	f.filters.add(cmd)
	cmd.Flags().StringVar(&f.severity, "severity", "", "the least severity: info, low, medium, high or critical")
	completeWords(cmd, "severity", severityNames()...)
	cmd.Flags().StringVar(&f.shadow, "shadow", query.ShadowHide, "findings of rules in shadow mode: hide, only (no others) or all")
	completeWords(cmd, "shadow", query.Shadows()...)
	f.pages.add(cmd)
	addFormat(cmd, &f.format)
	f.ask.add(cmd.Flags())
	return cmd
}

func findingFilters() []filterFlag {
	return []filterFlag{
		{name: "cluster", usage: "name of the cluster"},
		{name: "rule", usage: "id of the rule"},
		{name: "user", param: "actor", usage: "name of who did it"},
		{name: "namespace", short: "n", usage: "namespace of the first event"},
		{name: "state", usage: "open or closed", words: []string{string(detect.StateOpen), string(detect.StateClosed)}},
	}
}

func (f *findingsFlags) show(ctx context.Context, streams Streams, text string) error {
	var id detect.FindingID
	if err := id.UnmarshalText([]byte(text)); err != nil {
		return usagef("%q is not the id of a finding: 'klaxon findings' shows ids of 32 hexadecimal digits", text)
	}
	c, err := f.ask.client()
	if err != nil {
		return err
	}
	found, err := c.Finding(ctx, id)
	if err != nil {
		return err
	}
	return output.WriteFinding(streams.Out, f.format, &found)
}

func (f *findingsFlags) list(ctx context.Context, streams Streams, flags *pflag.FlagSet) error {
	if err := f.pages.check(flags); err != nil {
		return err
	}
	values := f.filters.query(flags)
	values.Set("shadow", f.shadow)
	if flags.Changed("severity") {
		values.Set("severity", f.severity)
	}
	q, err := api.ParseFindings(values, time.Now())
	if err != nil {
		return f.filters.usage(err)
	}
	c, err := f.ask.client()
	if err != nil {
		return err
	}
	printed, more, err := f.print(ctx, streams, c, q)
	if err != nil {
		return err
	}
	closing(streams, "findings", q.Since, printed, more)
	return nil
}

// print writes findings as they come, or by severity where they are so few that
// they can be held.
func (f *findingsFlags) print(ctx context.Context, streams Streams, c *client.Client, q query.Findings) (printed int, more bool, err error) {
	search := func(ctx context.Context, limit int, cursor string) ([]detect.Finding, string, error) {
		q.Limit, q.Cursor = limit, cursor
		page, err := c.SearchFindings(ctx, q)
		return page.Findings, page.Next, err
	}
	if f.pages.all || f.format != output.FormatTable {
		return printPages(ctx, &f.pages, search, output.NewFindings(streams.Out, f.format))
	}
	var found []detect.Finding
	printed, more, err = pages(ctx, &f.pages, search, func(one *detect.Finding) error {
		found = append(found, *one)
		return nil
	})
	if err != nil {
		return printed, more, err
	}
	return printed, more, output.WriteFindings(streams.Out, f.format, found)
}
