package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/klaxon-dev/klaxon/internal/datadir"
	"github.com/klaxon-dev/klaxon/internal/query"
	"github.com/klaxon-dev/klaxon/web/api/client"
)

// askFlags say which API a command asks, and as whom: by default the one of the
// local serve.
type askFlags struct {
	server, tokenFile, caFile, dataDir string
}

func (f *askFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.server, "server", "", "URL of the API (default: the local serve's)")
	flags.StringVar(&f.tokenFile, "token-file", "", "file with your token for the API (default: the local serve's)")
	flags.StringVar(&f.caFile, "ca-file", "", "certificates that sign the server's (default: the local serve's; for another server the system's)")
	flags.StringVar(&f.dataDir, "data-dir", "", "where the local serve keeps its data (default $KLAXON_DATA_DIR or ~/.local/state/klaxon)")
}

// client returns a client of the API that the flags name.
func (f *askFlags) client() (*client.Client, error) {
	config := client.Config{Server: f.server, TokenFile: f.tokenFile, CAFile: f.caFile}
	switch {
	case f.server == "":
		local, err := f.local()
		if err != nil {
			return nil, err
		}
		config.Server = local.Server
		if config.TokenFile == "" {
			config.TokenFile = local.TokenFile
		}
		if config.CAFile == "" {
			config.CAFile = local.CAFile
		}
	case f.tokenFile == "":
		return nil, usagef("--server needs --token-file: the local serve's token is not sent to others")
	}
	return client.New(config)
}

func (f *askFlags) local() (datadir.Client, error) {
	dir, err := datadir.Resolve(f.dataDir)
	if err != nil {
		return datadir.Client{}, err
	}
	local, err := dir.ReadClient()
	if errors.Is(err, fs.ErrNotExist) {
		return local, fmt.Errorf("no serve has run with the data directory %s: start one with 'klaxon serve', or name one with --server and --token-file", dir)
	}
	if err == nil && local.Server == "" {
		return local, fmt.Errorf("serve ran without the role api with the data directory %s: name the API with --server and --token-file", dir)
	}
	return local, err
}

// filterFlag is a flag that filters; its parameter in the API has the same name
// with "_" for "-", unless it says otherwise.
type filterFlag struct {
	name, short string
	param       string
	usage       string
	words       []string // what the shell completes
}

// filterFlags are the filters of a command. Every one may be repeated.
type filterFlags struct {
	filters []filterFlag
	values  map[string]*[]string
	since   string
	until   string
}

// defaultSince is how far back is looked where nothing is said.
const defaultSince = "24h"

func (f *filterFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.since, "since", defaultSince, "how far back to look, as 90m, 2h or 7d, or from which time on, as 2026-01-02T15:04:05Z")
	flags.StringVar(&f.until, "until", "", "up to which time to look, in the same form (then --since is unbounded unless it is given)")
	f.values = map[string]*[]string{}
	for _, filter := range f.filters {
		f.values[filter.name] = flags.StringArrayP(filter.name, filter.short, nil, filter.usage)
		if filter.words != nil {
			completeWords(cmd, filter.name, filter.words...)
		}
	}
}

// query returns the filters as the API's parameters. Where the user gave --until
// or one of unbounded and not --since, there is no bound in the past.
func (f *filterFlags) query(flags *pflag.FlagSet, unbounded ...string) url.Values {
	values := url.Values{}
	bounded := true
	for _, name := range append(unbounded, "until") {
		bounded = bounded && !flags.Changed(name)
	}
	if bounded || flags.Changed("since") {
		values.Set("since", f.since)
	}
	if flags.Changed("until") {
		values.Set("until", f.until)
	}
	for _, filter := range f.filters {
		if flags.Changed(filter.name) {
			values[filter.apiName()] = *f.values[filter.name]
		}
	}
	return values
}

func (f *filterFlag) apiName() string {
	if f.param != "" {
		return f.param
	}
	return strings.ReplaceAll(f.name, "-", "_")
}

// usage makes an error of a filter one of the command line.
func (f *filterFlags) usage(err error) error {
	var bad *query.FilterError
	if !errors.As(err, &bad) {
		return usageError{err}
	}
	name := strings.ReplaceAll(bad.Filter, "_", "-")
	for _, filter := range f.filters {
		if filter.apiName() == bad.Filter {
			name = filter.name
		}
	}
	return usagef("--%s %q: want %s", name, bad.Value, bad.Want)
}

// asked makes what the server says is wrong with the question an error of the
// command line.
func asked(err error) error {
	var refused *client.Error
	if errors.As(err, &refused) && refused.Status == http.StatusBadRequest {
		return usageError{err}
	}
	return err
}

// pageFlags say how much is printed.
type pageFlags struct {
	limit int
	all   bool
}

func (f *pageFlags) add(cmd *cobra.Command) {
	cmd.Flags().IntVar(&f.limit, "limit", query.DefaultLimit, "how many to print at most")
	cmd.Flags().BoolVar(&f.all, "all", false, "print all, however many")
}

func (f *pageFlags) check(flags *pflag.FlagSet) error {
	switch {
	case f.all && flags.Changed("limit"):
		return usagef("--all and --limit exclude one another: leave one out")
	case f.limit < 1:
		return usagef("--limit %d: want a number from 1 on, or --all", f.limit)
	default:
		return nil
	}
}

// pages asks for page after page and hands every item to write, until there are
// no more or there were enough. more says that there are more.
func pages[T any](ctx context.Context, f *pageFlags, search func(ctx context.Context, limit int, cursor string) ([]T, string, error), write func(*T) error) (printed int, more bool, err error) {
	cursor := ""
	for {
		limit := query.MaxLimit
		if !f.all {
			limit = min(limit, f.limit-printed)
		}
		items, next, err := search(ctx, limit, cursor)
		if err != nil {
			return printed, false, asked(err)
		}
		for i := range items {
			if err := write(&items[i]); err != nil {
				return printed, false, err
			}
		}
		printed += len(items)
		if next == "" || len(items) == 0 || next == cursor {
			return printed, false, nil
		}
		if !f.all && printed >= f.limit {
			return printed, true, nil
		}
		cursor = next
	}
}

// printPages is pages into a printer, which it closes.
func printPages[T any](ctx context.Context, f *pageFlags, search func(ctx context.Context, limit int, cursor string) ([]T, string, error), out interface {
	Write(one *T) error
	Close() error
}) (printed int, more bool, err error) {
	if printed, more, err = pages(ctx, f, search, out.Write); err != nil {
		return printed, more, err
	}
	return printed, more, out.Close()
}

// closing says on standard error what the output does not show.
func closing(streams Streams, what string, since time.Time, printed int, more bool) {
	switch {
	case printed == 0 && since.IsZero():
		fmt.Fprintf(streams.Err, "no %s: fewer filters let more through\n", what)
	case printed == 0:
		fmt.Fprintf(streams.Err, "no %s since %s: --since looks further back, and fewer filters let more through\n", what, since.Format(time.RFC3339))
	case more:
		fmt.Fprintf(streams.Err, "there are more %s: --all prints all, --limit more of them\n", what)
	}
}
