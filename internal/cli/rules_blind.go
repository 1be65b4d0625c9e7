package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/internal/output"
	"github.com/klaxon-dev/klaxon/internal/query"
	"github.com/klaxon-dev/klaxon/internal/scan"
	"github.com/klaxon-dev/klaxon/web/api"
)

type rulesBlindFlags struct {
	ask     askFlags
	filters filterFlags
	limit   int
	format  output.Format
}

func newRulesBlind(streams Streams) *cobra.Command {
	f := rulesBlindFlags{filters: filterFlags{filters: blindFilters()}, format: output.FormatTable}
	cmd := &cobra.Command{
		Use:   "blind",
		Short: "List which rules could not see what, and what would let them",
		Long: `Blind lists where rules could not tell whether events met their conditions,
because the events do not hold what the conditions depend on: of the last 24
hours, by the hour, unless --since or --until says otherwise; the most frequent
first. SINCE is the first hour in which it was so, however far back.

NEEDS is the level at which the audit policy would have to record such requests:
Request or RequestResponse. Or it says why no level helps: truncated (the API
server cut the bodies off), reduced (the event was too large), never (no level
records it). docs/rules.md says more.

A filter that is given more than once lets through what equals any of its values;
a value that ends in * stands for all that begin so. -o json and ndjson print the
schema klaxon.blind/v1.`,
		Example: `  # what must the audit policy of a cluster record for all rules to see?
  klaxon rules blind --cluster prod-1

  # is one rule of any use here?
  klaxon rules blind --rule privileged-pod --since 30d`,
		Args: exactly(0, "blind takes flags only, as 'klaxon rules blind --rule privileged-pod'"),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context(), streams, cmd.Flags()) },
	}
	f.filters.add(cmd)
	cmd.Flags().IntVar(&f.limit, "limit", query.DefaultLimit, fmt.Sprintf("how many to print at most, up to %d", query.MaxLimit))
	addFormat(cmd, &f.format)
	f.ask.add(cmd.Flags())
	return cmd
}

func blindFilters() []filterFlag {
	return []filterFlag{
		{name: "cluster", usage: "name of the cluster"},
		{name: "rule", usage: "id of the rule"},
		{name: "resource", usage: "resource that the requests were about, as pods"},
		{name: "needs", usage: "what would let the rule see, or why nothing does", words: []string{
			string(audit.GapRequest), string(audit.GapRequestResponse), string(audit.GapTruncated), string(audit.GapReduced), string(audit.GapNever),
		}},
	}
}

func (f *rulesBlindFlags) run(ctx context.Context, streams Streams, flags *pflag.FlagSet) error {
	q, err := api.ParseBlindness(f.filters.query(flags), time.Now())
	if err != nil {
		return f.filters.usage(err)
	}
	if q.Limit = f.limit; q.Limit < 1 || q.Limit > query.MaxLimit {
		return usagef("--limit %d: want a number from 1 to %d", q.Limit, query.MaxLimit)
	}
	c, err := f.ask.client()
	if err != nil {
		return err
	}
	page, err := c.SearchBlindness(ctx, q)
	if err != nil {
		return asked(err)
	}
	if err := output.NewBlindness(streams.Out, f.format).WriteAll(page.Blind); err != nil {
		return err
	}
	if f.format == output.FormatTable {
		for _, line := range blindLines(summed(page.Blind)) {
			fmt.Fprintln(streams.Err, line)
		}
	}
	switch {
	case len(page.Blind) == 0 && q.Since.IsZero():
		fmt.Fprintln(streams.Err, "no rule was blind to anything")
	case len(page.Blind) == 0:
		fmt.Fprintf(streams.Err, "no rule was blind to anything since %s: --since looks further back\n", q.Since.Format(time.RFC3339))
	case page.Total > len(page.Blind):
		fmt.Fprintf(streams.Err, "%d of %d are shown: filters or --limit show others\n", len(page.Blind), page.Total)
	}
	return nil
}

// summed adds up what is blind in all clusters.
func summed(blind []query.Blind) map[scan.Blindness]int64 {
	sum := map[scan.Blindness]int64{}
	for _, b := range blind {
		sum[scan.Blindness{Rule: b.Rule, Resource: b.Resource, Gap: b.Needs}] += b.Evaluations
	}
	return sum
}
