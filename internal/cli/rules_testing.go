package cli

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/klaxon-dev/klaxon/detect/ruletest"
	"github.com/klaxon-dev/klaxon/internal/output"
	"github.com/klaxon-dev/klaxon/rules"
)

// formatJUnit is a format that tests alone have.
const formatJUnit = "junit"

// testFormat is output.Format, or formatJUnit.
type testFormat struct{ output.Format }

// Set is pflag.Value's.
func (f *testFormat) Set(text string) error {
	if text == formatJUnit {
		f.Format = formatJUnit
		return nil
	}
	if err := f.Format.Set(text); err != nil {
		return fmt.Errorf("%w or %s", err, formatJUnit)
	}
	return nil
}

func newRulesTest(streams Streams) *cobra.Command {
	var f ruleFlags
	format := testFormat{output.FormatTable}
	cmd := &cobra.Command{
		Use:   "test [RULE…]",
		Short: "Run the tests inside the rules",
		Long: `Test runs the tests that rules carry through the engine that scans and serves:
events with only the fields that matter, and the findings that they make.
Without names it runs those of all rules. A rule is tested as its file has it:
what changes it from outside does not count. Exit status 1 if a test fails.`,
		Example: `  klaxon rules test --no-builtin --rules ./rules
  klaxon rules test --rules ./rules -o junit > report.xml`,
		RunE: func(_ *cobra.Command, names []string) error {
			set, err := f.load(streams.Err)
			if err != nil {
				return err
			}
			results, err := runTests(set, names)
			if err != nil {
				return err
			}
			return reportTests(streams, format.Format, results)
		},
		ValidArgsFunction: f.completeRule,
	}
	f.add(cmd.Flags())
	cmd.Flags().VarP(&format, "output", "o", "table, json, ndjson or junit")
	completeWords(cmd, "output", append(output.Formats(), formatJUnit)...)
	return cmd
}

func runTests(set *rules.Set, names []string) ([]ruletest.Result, error) {
	chosen := slices.Concat(set.Rules, set.Disabled)
	if len(names) > 0 {
		chosen = nil
	}
	for _, name := range names {
		r, err := findRule(set, name)
		if err != nil {
			return nil, err
		}
		chosen = append(chosen, r)
	}
	results := []ruletest.Result{}
	for _, r := range chosen {
		results = append(results, ruletest.Run(r.AsWritten())...)
	}
	return results, nil
}

func reportTests(streams Streams, format output.Format, results []ruletest.Result) error {
	failed := 0
	for _, r := range results {
		if !r.Passed {
			failed++
		}
	}
	if err := writeTests(streams, format, results); err != nil {
		return err
	}
	fmt.Fprintf(streams.Err, "%d passed, %d failed\n", len(results)-failed, failed)
	if failed > 0 {
		return exitError{exitFailed}
	}
	return nil
}

func writeTests(streams Streams, format output.Format, results []ruletest.Result) error {
	switch format {
	case formatJUnit:
		return ruletest.WriteJUnit(streams.Out, results)
	case output.FormatTable:
	default:
		return writeList(streams.Out, format, results, nil, nil)
	}
	for _, r := range results {
		if r.Passed {
			continue
		}
		if _, err := fmt.Fprintf(streams.Out, "%s:%d: rule %s: test \"%s\" failed: %s\n",
			output.Text(r.File, 1024), r.Line, r.Rule, output.Text(r.Test, 256), output.Text(r.Message, 1024)); err != nil {
			return err
		}
	}
	return nil
}
