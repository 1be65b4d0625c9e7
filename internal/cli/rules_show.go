package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/klaxon-dev/klaxon/internal/output"
	"github.com/klaxon-dev/klaxon/rules"
)

func newRulesShow(streams Streams) *cobra.Command {
	var f ruleFlags
	return withRuleFlags(&f, &cobra.Command{
		Use:   "show RULE",
		Short: "Show a rule as it was written",
		Long: `Show prints a rule as its file has it, and below it the documents that change it
from outside, each with its place. The version "as written" is what such a
document names as rule_version.`,
		Args: exactly(1, "name one rule: 'klaxon rules list' lists them"),
		RunE: func(_ *cobra.Command, args []string) error {
			set, err := f.load(streams.Err)
			if err != nil {
				return err
			}
			r, err := findRule(set, args[0])
			if err != nil {
				return err
			}
			return showRule(streams.Out, r)
		},
		ValidArgsFunction: f.completeRule,
	})
}

func findRule(set *rules.Set, name string) (*rules.Rule, error) {
	if r := set.Find(rules.RuleID(name)); r != nil {
		return r, nil
	}
	return nil, usagef("there is no rule %q: 'klaxon rules list' lists them", name)
}

func (f *ruleFlags) completeRule(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	set, _ := rules.Load(f.sources())
	var ids []string
	for _, r := range set.Rules {
		if len(args) == 0 {
			ids = append(ids, string(r.ID))
		}
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}

func showRule(w io.Writer, r *rules.Rule) error {
	head := fmt.Sprintf("# %s:%d, version %s", output.Text(r.File, 1024), r.Line, r.Version)
	if r.Version != r.Written {
		head += fmt.Sprintf(" (as written %s)", r.Written)
	}
	if r.Disabled {
		head += ", disabled"
	}
	if r.Mode == rules.ModeShadow {
		head += ", in shadow mode"
	}
	if _, err := fmt.Fprintf(w, "%s\n%s", head, output.Message(r.Source)); err != nil {
		return err
	}
	for _, c := range r.Changes {
		if _, err := fmt.Fprintf(w, "---\n# %s, changed by this %s\n%s", output.Text(c.Origin(), 1024), c.Kind, output.Message(c.Source)); err != nil {
			return err
		}
	}
	return nil
}
