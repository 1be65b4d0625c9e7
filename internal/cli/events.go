package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/internal/output"
	"github.com/klaxon-dev/klaxon/internal/query"
	"github.com/klaxon-dev/klaxon/web/api"
)

type eventsFlags struct {
	ask     askFlags
	filters filterFlags
	pages   pageFlags
	format  output.Format
}

func newEventsCommand(streams Streams) *cobra.Command {
	f := eventsFlags{filters: filterFlags{filters: eventFilters()}, format: output.FormatTable}
	cmd := &cobra.Command{
		Use:   "events",
		Short: "Search audit events: who did what, and when",
		Long: `Events prints the audit events that pass every filter, newest first: of the last
24 hours, unless --since, --until, --id, --audit-id or --time-reason says
otherwise.

A filter that is given more than once lets through what equals any of its values;
a value that ends in * stands for all that begin so (quote it: the shell has its
own use for it). --resource names as a role does: pods, pods/exec, or 'pods*' for
both. --user also finds those whom somebody impersonated; an empty one finds
events without a user, as failed authentications are.

The time of an event is its sender's word. Where it is far from the time at which
the event was received, time_reason in its JSON says so; --time-reason any finds
all of these.

-o json and ndjson print each event in full (schema klaxon.event/v1), with the
audit event as the API server wrote it, secrets replaced by hashes.`,
		Example: `  # what jo did in the last two hours
  klaxon events --user jo --since 2h

  # who ran commands in pods of the namespace shop
  klaxon events --resource pods/exec -n shop --since 7d

  # what was refused to a service account
  klaxon events --user system:serviceaccount:shop:web --code 403

  # who read secrets from outside, as JSON for jq
  klaxon events --resource secrets --verb get --verb list --all -o ndjson |
    jq -r 'select(.event.sourceIPs[-1] | startswith("10.") | not) | .event.user.username'

  # one event that a finding lists, in full
  klaxon events --id 6f1c0e7a5d3b49f28a6e0c4d2b1f9e37 -o json`,
		Args: exactly(0, "events takes flags only, as 'klaxon events --user jo'"),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context(), streams, cmd.Flags()) },
	}
	f.filters.add(cmd)
	f.pages.add(cmd)
	addFormat(cmd, &f.format)
	f.ask.add(cmd.Flags())
	return cmd
}

func eventFilters() []filterFlag {
	return []filterFlag{
		{name: "cluster", usage: "name of the cluster"},
		{name: "user", usage: "name of who asked, or of whom they impersonated"},
		{name: "verb", usage: "verb, as get or create", words: []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"}},
		{name: "resource", usage: "resource, as pods or pods/exec"},
		{name: "namespace", short: "n", usage: "namespace of the object"},
		{name: "name", usage: "name of the object"},
		{name: "code", usage: "HTTP status of the answer, as 403, or a class as 4xx", words: []string{"2xx", "3xx", "4xx", "5xx", "401", "403", "404"}},
		{name: "source-ip", usage: "address of the client, or a range as 10.0.0.0/8"},
		{name: "stage", usage: "stage of the request", words: []string{audit.StageRequestReceived, audit.StageResponseStarted, audit.StageResponseComplete, audit.StagePanic}},
		{name: "time-reason", usage: "why the event's time is doubtful, as too_old; any: events whose time is, none: the others", words: append(query.TimeReasons(), query.TimeReasonAny, query.TimeReasonNone)},
		{name: "id", usage: "id of the event"},
		{name: "audit-id", usage: "auditID of the request (clients may choose it)"},
	}
}

func (f *eventsFlags) run(ctx context.Context, streams Streams, flags *pflag.FlagSet) error {
	if err := f.pages.check(flags); err != nil {
		return err
	}
	q, err := api.ParseEvents(f.filters.query(flags, "id", "audit-id", "time-reason"), time.Now())
	if err != nil {
		return f.filters.usage(err)
	}
	c, err := f.ask.client()
	if err != nil {
		return err
	}
	printed, more, err := printPages(ctx, &f.pages, func(ctx context.Context, limit int, cursor string) ([]query.Event, string, error) {
		q.Limit, q.Cursor = limit, cursor
		page, err := c.SearchEvents(ctx, q)
		return page.Events, page.Next, err
	}, output.NewEvents(streams.Out, f.format))
	if err != nil {
		return err
	}
	closing(streams, "events", q.Since, printed, more)
	return nil
}
