package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/klaxon-dev/klaxon/internal/output"
	"github.com/klaxon-dev/klaxon/rules"
)

func newRulesCommand(streams Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rules",
		Short: "List, show, explain, check and test detection rules",
		Long: `Rules are YAML documents whose condition is an expression over the fields of an
audit event. docs/rules.md describes the format.

  klaxon rules list                    the rules that there are
  klaxon rules show exec-into-pod      one of them, as it was written
  klaxon rules explain exec-into-pod   how it is evaluated, and what it needs
  klaxon rules fields                  what conditions may say of an event
  klaxon rules lint --rules ./rules    mistakes, and rules that can never fire
  klaxon rules test --rules ./rules    the tests inside the rules
  klaxon rules blind                   which of serve's could not see what
  klaxon rules import sigma ./sigma    rules made of Sigma rules`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newRulesList(streams), newRulesShow(streams), newRulesExplain(streams), newRulesFields(streams), newRulesLint(streams), newRulesTest(streams), newRulesBlind(streams), newRulesImport(streams))
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
	Mode     rules.Mode     `json:"mode"`
	Disabled bool           `json:"disabled,omitempty"`
	Changes  []string       `json:"changed_by,omitempty"` // file:line of what changes it from outside
}

func newListedRule(r *rules.Rule) listedRule {
	l := listedRule{
		ID: r.ID, Version: r.Version, Severity: r.Severity, Title: r.Title.String(), Tags: r.Tags, Origin: r.Origin,
		File: r.File, Line: r.Line, Tests: len(r.Tests), Mode: r.Mode, Disabled: r.Disabled,
	}
	for _, c := range r.Changes {
		l.Changes = append(l.Changes, c.Origin())
	}
	return l
}

// origin says where a rule comes from, and what has become of it.
func (l *listedRule) origin() string {
	words := []string{l.Origin}
	switch {
	case l.Disabled:
		words = append(words, "disabled")
	case l.Mode == rules.ModeShadow:
		words = append(words, "shadow")
	}
	if len(l.Changes) > 0 {
		words = append(words, "changed")
	}
	return strings.Join(words, ", ")
}

func newRulesList(streams Streams) *cobra.Command {
	var f ruleFlags
	format := output.FormatTable
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the rules",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			set, err := f.load(streams.Err)
			if err != nil {
				return err
			}
			var listed []listedRule
			for _, r := range slices.Concat(set.Rules, set.Disabled) {
				listed = append(listed, newListedRule(r))
			}
			return writeList(streams.Out, format, listed, []output.Column{{Title: "SEVERITY"}, {Title: "RULE"}, {Title: "ORIGIN"}, {Title: "TITLE", Max: 100}}, func(r *listedRule) []string {
				return []string{string(r.Severity), string(r.ID), r.origin(), r.Title}
			})
		},
	}
	f.add(cmd.Flags())
	addFormat(cmd, &format)
	return cmd
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
		Args:  noArguments,
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
a real event, rules without tests, changes of rules that are not there or are
others now, exceptions that have expired or can never hold. It warns of what
attackers are known to get round: one verb of two that do the same, the main
containers only, what a client says of itself. Exit status 1 if there is an error; warnings
alone leave it 0.`,
		Args: exactly(0, "lint takes flags only, as 'klaxon rules lint --rules my-rules/'"),
		RunE: func(*cobra.Command, []string) error {
			set, problems := rules.Load(f.sources())
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
