package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/klaxon-dev/klaxon/detect/ruletest"
	"github.com/klaxon-dev/klaxon/internal/output"
	"github.com/klaxon-dev/klaxon/rules"
)

func newRulesCommand(streams Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rules",
		Short: "List, show, check and test detection rules",
		Long: `Rules are YAML documents whose condition is an expression over the fields of an
audit event. docs/rules.md describes the format.

  klaxon rules list                    the rules that there are
  klaxon rules show exec-into-pod      one of them, as it was written
  klaxon rules fields                  what conditions may say of an event
  klaxon rules lint --rules ./rules    mistakes, and rules that can never fire
  klaxon rules test --rules ./rules    the tests inside the rules
  klaxon rules import sigma ./sigma    rules made of Sigma rules`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newRulesList(streams), newRulesShow(streams), newRulesFields(streams), newRulesLint(streams), newRulesTest(streams), newRulesImport(streams))
	return cmd
}

// listedRule is a rule as 'rules list' prints it in JSON.
type listedRule struct {
	ID       rules.RuleID   `json:"id"`
	Version  string         `json:"version"`
	Severity rules.Severity `json:"severity"`
	Title    string         `json:"title"`
	Tags     []string       `json:"tags"`
	Origin   string         `json:"origin"`
	File     string         `json:"file"`
	Line     int            `json:"line"`
	Tests    int            `json:"tests"`
}

func newRulesList(streams Streams) *cobra.Command {
	var f ruleFlags
	format := output.FormatTable
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the rules",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			set, err := f.load(streams.Err)
			if err != nil {
				return err
			}
			listed := make([]listedRule, len(set.Rules))
			for i, r := range set.Rules {
				listed[i] = listedRule{r.ID, r.Version, r.Severity, r.Title.String(), r.Tags, r.Origin, r.File, r.Line, len(r.Tests)}
			}
			return writeList(streams.Out, format, listed, []output.Column{{Title: "SEVERITY"}, {Title: "RULE"}, {Title: "ORIGIN"}, {Title: "TITLE", Max: 100}}, func(r *listedRule) []string {
				return []string{string(r.Severity), string(r.ID), r.Origin, r.Title}
			})
		},
	}
	f.add(cmd.Flags())
	addFormat(cmd, &format)
	return cmd
}

func newRulesShow(streams Streams) *cobra.Command {
	var f ruleFlags
	return withRuleFlags(&f, &cobra.Command{
		Use:   "show RULE",
		Short: "Show a rule as it was written",
		Args:  exactly(1, "name one rule: 'klaxon rules list' lists them"),
		RunE: func(_ *cobra.Command, args []string) error {
			set, err := f.load(streams.Err)
			if err != nil {
				return err
			}
			r := set.Rule(rules.RuleID(args[0]))
			if r == nil {
				return usagef("there is no rule %q: 'klaxon rules list' lists them", args[0])
			}
			_, err = fmt.Fprintf(streams.Out, "# %s:%d, version %s\n%s", output.Text(r.File, 1024), r.Line, r.Version, output.Message(r.Source))
			return err
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			set, _ := rules.Load(rules.Sources{NoBuiltin: f.noBuiltin, Paths: f.paths})
			var ids []string
			for _, r := range set.Rules {
				if len(args) == 0 {
					ids = append(ids, string(r.ID))
				}
			}
			return ids, cobra.ShellCompDirectiveNoFileComp
		},
	})
}

// listedField is a field of the vocabulary as 'rules fields' prints it in JSON.
type listedField struct {
	Name string `json:"name"`
	Type string `json:"type"`
	Body bool   `json:"needs_object"`
	Doc  string `json:"doc"`
}

func newRulesFields(streams Streams) *cobra.Command {
	format := output.FormatTable
	cmd := &cobra.Command{
		Use:   "fields",
		Short: "List what conditions may say of an event",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			vocabulary := rules.Vocabulary()
			listed := make([]listedField, len(vocabulary))
			for i, f := range vocabulary {
				listed[i] = listedField{f.Name, f.Type(), f.Body, f.Doc}
			}
			return writeList(streams.Out, format, listed, []output.Column{{Title: "FIELD"}, {Title: "TYPE"}, {Title: "NEEDS"}, {Title: "MEANING", Max: 120}}, func(f *listedField) []string {
				needs := "-"
				if f.Body {
					needs = "object"
				}
				return []string{f.Name, f.Type, needs, f.Doc}
			})
		},
	}
	addFormat(cmd, &format)
	return cmd
}

func newRulesLint(streams Streams) *cobra.Command {
	var f ruleFlags
	format := output.FormatTable
	cmd := &cobra.Command{
		Use:   "lint",
		Short: "Check rules for mistakes, and for what can never fire",
		Long: `Lint reads rules and lists all that is wrong with them: unknown keys and fields,
conditions that do not compile or are unbounded, comparisons that never hold on
a real event, rules without tests. Exit status 1 if there is an error; warnings
alone leave it 0.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			set, problems := rules.Load(rules.Sources{NoBuiltin: f.noBuiltin, Paths: f.paths})
			if err := writeProblems(streams.Out, format, problems); err != nil {
				return err
			}
			fmt.Fprintf(streams.Err, "%s, %s, %s\n", plural(int64(len(set.Rules)), "rule"),
				plural(int64(len(problems.Errors())), "error"), plural(int64(len(problems)-len(problems.Errors())), "warning"))
			if len(problems.Errors()) > 0 {
				return exitError{exitFailed}
			}
			return nil
		},
	}
	f.add(cmd.Flags())
	addFormat(cmd, &format)
	return cmd
}

func writeProblems(w io.Writer, format output.Format, problems rules.Problems) error {
	if format != output.FormatTable {
		return writeList(w, format, problems, nil, nil)
	}
	for _, p := range problems {
		if _, err := fmt.Fprintln(w, output.Text(p.Error(), 1024)); err != nil {
			return err
		}
	}
	return nil
}

func newRulesTest(streams Streams) *cobra.Command {
	var f ruleFlags
	format := output.FormatTable
	cmd := &cobra.Command{
		Use:   "test [RULE…]",
		Short: "Run the tests inside the rules",
		Long: `Test runs the tests that rules carry through the engine that scans and serves:
events with only the fields that matter, and how many findings they make.
Without names it runs those of all rules. Exit status 1 if a test fails.`,
		RunE: func(_ *cobra.Command, names []string) error {
			set, err := f.load(streams.Err)
			if err != nil {
				return err
			}
			results, err := runTests(set, names)
			if err != nil {
				return err
			}
			return reportTests(streams, format, results)
		},
	}
	f.add(cmd.Flags())
	addFormat(cmd, &format)
	return cmd
}

func runTests(set *rules.Set, names []string) ([]ruletest.Result, error) {
	chosen := set.Rules
	if len(names) > 0 {
		chosen = nil
	}
	for _, name := range names {
		r := set.Rule(rules.RuleID(name))
		if r == nil {
			return nil, usagef("there is no rule %q: 'klaxon rules list' lists them", name)
		}
		chosen = append(chosen, r)
	}
	results := []ruletest.Result{}
	for _, r := range chosen {
		results = append(results, ruletest.Run(r)...)
	}
	return results, nil
}

func reportTests(streams Streams, format output.Format, results []ruletest.Result) error {
	failed := 0
	for _, r := range results {
		if r.Passed {
			continue
		}
		failed++
		if format == output.FormatTable {
			if _, err := fmt.Fprintf(streams.Out, "%s:%d: rule %s: test \"%s\" failed: %s\n",
				output.Text(r.File, 1024), r.Line, r.Rule, output.Text(r.Test, 256), output.Text(r.Message, 1024)); err != nil {
				return err
			}
		}
	}
	if format != output.FormatTable {
		if err := writeList(streams.Out, format, results, nil, nil); err != nil {
			return err
		}
	}
	fmt.Fprintf(streams.Err, "%d passed, %d failed\n", len(results)-failed, failed)
	if failed > 0 {
		return exitError{exitFailed}
	}
	return nil
}

// writeList writes rows as a table, as one JSON array, or as one object a line.
func writeList[T any](w io.Writer, format output.Format, rows []T, columns []output.Column, cells func(*T) []string) error {
	return output.NewWriter(w, format, columns, cells).WriteAll(rows)
}

func addFormat(cmd *cobra.Command, format *output.Format) {
	cmd.Flags().VarP(format, "output", "o", "table, json or ndjson")
	completeWords(cmd, "output", "table", "json", "ndjson")
}

func withRuleFlags(f *ruleFlags, cmd *cobra.Command) *cobra.Command {
	f.add(cmd.Flags())
	return cmd
}

// exactly checks the number of arguments; advice says what to write.
func exactly(n int, advice string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != n {
			return usagef("%s", advice)
		}
		return nil
	}
}
