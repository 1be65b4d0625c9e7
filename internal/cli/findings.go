package cli

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/internal/output"
	"github.com/klaxon-dev/klaxon/internal/query"
	"github.com/klaxon-dev/klaxon/rules"
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
--until says otherwise: in a table the most severe, and those of equal severity
that were seen last, first; in JSON, and with --all, the one that was seen last
first. A finding is of a time in which any of its events lies. Those of rules in shadow mode, which are tried out, are hidden
unless --shadow asks for them; they are marked (shadow). A COUNT of 5+ may be too
small: events of the finding's time were lost (docs/operations.md).

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

// print writes findings as they come, or in a table the most severe.
func (f *findingsFlags) print(ctx context.Context, streams Streams, c *client.Client, q query.Findings) (printed int, more bool, err error) {
	if f.pages.all || f.format != output.FormatTable {
		return printPages(ctx, &f.pages, searchFindings(c, q), output.NewFindings(streams.Out, f.format))
	}
	found, more, err := f.mostSevere(ctx, c, q)
	if err != nil {
		return 0, false, err
	}
	return len(found), more, output.WriteFindings(streams.Out, f.format, found)
}

// mostSevere returns as many findings as are to be printed: where there are more,
// the most severe, and of equal severity the last seen.
func (f *findingsFlags) mostSevere(ctx context.Context, c *client.Client, q query.Findings) (found []detect.Finding, more bool, err error) {
	found, more, err = f.lastSeen(ctx, c, q)
	if err != nil || !more {
		return found, more, err
	}
	found = nil
	least := rules.Severity(q.MinSeverity).Rank()
	for _, severity := range slices.Backward(rules.Severities) {
		if len(found) == f.pages.limit || severity.Rank() < least {
			break
		}
		q.MinSeverity = string(severity)
		last, _, err := f.lastSeen(ctx, c, q)
		if err != nil {
			return nil, false, err
		}
		for i := range last {
			if last[i].Severity == q.MinSeverity && len(found) < f.pages.limit {
				found = append(found, last[i])
			}
		}
	}
	return found, true, nil
}

// lastSeen returns the findings that were seen last.
func (f *findingsFlags) lastSeen(ctx context.Context, c *client.Client, q query.Findings) (found []detect.Finding, more bool, err error) {
	_, more, err = pages(ctx, &f.pages, searchFindings(c, q), func(one *detect.Finding) error {
		found = append(found, *one)
		return nil
	})
	return found, more, err
}

func searchFindings(c *client.Client, q query.Findings) func(ctx context.Context, limit int, cursor string) ([]detect.Finding, string, error) {
	return func(ctx context.Context, limit int, cursor string) ([]detect.Finding, string, error) {
		q.Limit, q.Cursor = limit, cursor
		page, err := c.SearchFindings(ctx, q)
		return page.Findings, page.Next, err
	}
}
