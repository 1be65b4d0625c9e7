package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/internal/output"
	"github.com/klaxon-dev/klaxon/internal/scan"
	"github.com/klaxon-dev/klaxon/rules"
)

// maxNamed is how many broken lines are named one by one.
const maxNamed = 20

type scanFlags struct {
	rules        ruleFlags
	cluster      string
	since, until string
	failOn       string
	configFile   string
	keyFile      string
	dataDir      string
	format       output.Format
}

func newScanCommand(streams Streams) *cobra.Command {
	f := scanFlags{cluster: "default", format: output.FormatTable}
	cmd := &cobra.Command{
		Use:   "scan FILE|DIR|-…",
		Short: "Find attacks in audit log files",
		Long: `Scan reads audit logs and prints what the rules find in them. It needs no
server and changes nothing.

It reads files as API servers write them (one event a line), bodies of the audit
webhook (EventList), plain or compressed by gzip or zstd, directories of such
files, and standard input (-). What is no audit event is named and skipped.

Exit status: 0; 1 if a file could not be read; 2 if the command line is wrong;
3 if --fail-on found something as bad.`,
		Example: `  klaxon scan /var/log/kubernetes/audit.log
  klaxon scan --since 2h -o ndjson /var/log/kubernetes/ | jq .title
  klaxon scan --config /etc/klaxon/klaxon.yaml --cluster prod-1 audit.log
  zcat old.gz | klaxon scan --rules ./rules --fail-on high -`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("name the files to scan, or - for standard input: klaxon scan audit.log")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd.Context(), streams, args) },
	}
	flags := cmd.Flags()
	f.rules.add(flags)
	flags.StringVar(&f.cluster, "cluster", f.cluster, "name of the cluster that the events are of")
	flags.StringVar(&f.since, "since", "", "leave out what happened before: 2h, 7d, or a time as 2026-01-02T15:04:05Z")
	flags.StringVar(&f.until, "until", "", "leave out what happened from then on, in the same form")
	flags.StringVar(&f.failOn, "fail-on", "", "exit with status 3 if a finding (of no rule in shadow mode) is as severe: info, low, medium, high or critical")
	flags.StringVar(&f.configFile, "config", "", "configuration of serve: what it redacts is redacted here, and events have the ids that it gives them")
	flags.StringVar(&f.keyFile, "redaction-key-file", "", "key that secret values are hashed with (default: that of --config, or the local serve's)")
	flags.StringVar(&f.dataDir, "data-dir", "", "where the local serve keeps its data")
	flags.VarP(&f.format, "output", "o", "table, json or ndjson")
	completeWords(cmd, "fail-on", severityNames()...)
	completeWords(cmd, "output", "table", "json", "ndjson")
	return cmd
}

func (f *scanFlags) run(ctx context.Context, streams Streams, paths []string) error {
	config, err := f.config(streams)
	if err != nil {
		return err
	}
	threshold := -1
	if f.failOn != "" {
		if threshold = rules.Severity(f.failOn).Rank(); threshold < 0 {
			return usagef("--fail-on %q: want info, low, medium, high or critical", f.failOn)
		}
	}
	inputs, left, err := scan.Inputs(paths)
	if err != nil {
		return err
	}
	for _, path := range left {
		fmt.Fprintf(streams.Err, "%s: skipped: no log by its name\n", output.Text(path, 256))
	}
	started := time.Now()
	progress := newProgress(streams.Err, inputs)
	scanner, failed := f.scan(ctx, streams, config, inputs, progress)
	findings, summary, err := scanner.Finish()
	progress.finish()
	if err != nil {
		return err
	}
	defer func() { _ = findings.Close() }()
	bad, err := f.print(streams.Out, findings, threshold)
	if err != nil {
		return err
	}
	summarize(streams.Err, len(inputs), findings.Len(), summary, time.Since(started))
	switch {
	case ctx.Err() != nil:
		return errors.New("interrupted: not everything was scanned")
	case failed > 0:
		return fmt.Errorf("%d of %d files could not be read to their end", failed, len(inputs))
	case bad:
		return exitError{exitFinding}
	}
	return nil
}

// print writes findings and reports whether one is as severe as threshold, a rank;
// below 0 none is.
func (f *scanFlags) print(w io.Writer, findings *scan.Findings, threshold int) (bad bool, err error) {
	out := output.NewFindings(w, f.format)
	for finding, err := range findings.All() {
		if err != nil {
			return false, err
		}
		if err := out.Write(finding); err != nil {
			return false, err
		}
		bad = bad || threshold >= 0 && !finding.Shadow && rules.Severity(finding.Severity).Rank() >= threshold
	}
	return bad, out.Close()
}

func (f *scanFlags) config(streams Streams) (scan.Config, error) {
	config := scan.Config{Cluster: audit.ClusterID(f.cluster)}
	var err error
	now := time.Now()
	if config.Since, err = parseTime("--since", f.since, now); err != nil {
		return config, err
	}
	if config.Until, err = parseTime("--until", f.until, now); err != nil {
		return config, err
	}
	if !config.Until.IsZero() && !config.Since.Before(config.Until) {
		return config, usagef("--since is not before --until: nothing lies between them")
	}
	if config.Rules, err = f.rules.load(streams.Err); err != nil {
		return config, err
	}
	redaction, err := f.redaction()
	if err != nil {
		return config, err
	}
	var kept bool
	if config.Reducer, kept, err = redaction.reducer(); err != nil {
		return config, err
	}
	if !kept {
		config.Redacted = sync.OnceFunc(func() {
			fmt.Fprintln(streams.Err, "note: some events hold secret values; without --redaction-key-file their ids are of this run only")
		})
	}
	return config, nil
}

// scan reads the inputs as one log. A file that cannot be read does not stop the
// others.
func (f *scanFlags) scan(ctx context.Context, streams Streams, config scan.Config, inputs []scan.Input, p *progress) (*scan.Scanner, int) {
	named := 0
	config.Skipped = func(s scan.Skip) {
		if named++; named <= maxNamed {
			p.say("%s:%d: skipped: %s", output.Text(s.File, 256), s.Line, output.Text(s.Err.Error(), 256))
		}
	}
	config.Progress = p.events
	failed := 0
	config.Unread = func(_ string, err error) {
		failed++
		p.say("%s", output.Text(err.Error(), 512))
	}
	scanner := scan.New(config)
	files := make([]scan.File, len(inputs))
	for i, in := range inputs {
		files[i] = scanFile(streams, in, p)
	}
	// Where ctx has ended, the caller says so.
	_ = scanner.Files(ctx, files)
	if named > maxNamed {
		p.say("%d more lines were skipped", named-maxNamed)
	}
	return scanner, failed
}

func scanFile(streams Streams, in scan.Input, p *progress) scan.File {
	if in.Path == scan.Stdin {
		return scan.File{Name: "(standard input)", Stream: true, Open: func() (io.ReadCloser, error) {
			return io.NopCloser(p.reader(streams.In)), nil
		}}
	}
	opened := 0
	if in.Size < 0 { // a pipe, as <(zcat old.gz) is: what is read of it does not come again
		opened = 1
	}
	return scan.File{Name: in.Path, Stream: in.Size < 0, Open: func() (io.ReadCloser, error) {
		file, err := os.Open(in.Path)
		if opened++; err != nil || opened == 1 {
			return file, err
		}
		return struct {
			io.Reader
			io.Closer
		}{p.reader(file), file}, nil
	}}
}

// summarize says in a few lines what was seen.
func summarize(w io.Writer, files, findings int, s scan.Summary, took time.Duration) {
	fmt.Fprintf(w, "%s in %s of %s, %.1f s\n", plural(int64(findings), "finding"), plural(s.Events, "event"), plural(int64(files), "file"), took.Seconds())
	if n := sum(s.Skipped); n > 0 {
		fmt.Fprintf(w, "%s skipped: %s\n", plural(n, "item"), counts(s.Skipped))
	}
	if s.Reduced > 0 {
		fmt.Fprintf(w, "%s too large to be looked at whole\n", plural(s.Reduced, "event"))
	}
	for _, line := range blindLines(s.Blind) {
		fmt.Fprintln(w, line)
	}
	if len(s.Failed) > 0 {
		fmt.Fprintf(w, "%s could not be evaluated on some events (%s)\n", plural(int64(len(s.Failed)), "rule"), counts(s.Failed))
	}
	if n := sum(s.Excepted); n > 0 {
		fmt.Fprintf(w, "%s excepted: %s\n", plural(n, "event"), output.Text(counts(s.Excepted), 1024))
	}
	if n := s.Windows.Evicted; n > 0 {
		fmt.Fprintf(w, "%s closed early: a rule held too many at once\n", plural(n, "finding"))
	}
	if n := s.Windows.Full; n > 0 {
		fmt.Fprintf(w, "a key held too many matches, %s: its findings say saturated\n", plural(n, "time"))
	}
	if n := s.Windows.TooLate; n > 0 {
		fmt.Fprintf(w, "%s left out of absences and sequences with until: more than ten minutes out of order\n", plural(n, "match"))
	}
}

func plural(n int64, what string) string {
	switch {
	case n == 1:
		return "1 " + what
	case strings.HasSuffix(what, "ch"):
		what += "e"
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func sum[K comparable](m map[K]int64) (total int64) {
	for _, n := range m {
		total += n
	}
	return total
}

func counts[K ~string](m map[K]int64) string {
	keys := slices.SortedFunc(maps.Keys(m), func(a, b K) int { return cmp.Or(cmp.Compare(m[b], m[a]), cmp.Compare(a, b)) })
	parts := make([]string, 0, len(keys))
	for i, k := range keys {
		if i == 8 {
			parts = append(parts, fmt.Sprintf("%d more", len(keys)-i))
			break
		}
		parts = append(parts, fmt.Sprintf("%s %d", k, m[k]))
	}
	return strings.Join(parts, ", ")
}
