package cli

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/klaxon-dev/klaxon/internal/output"
	"github.com/klaxon-dev/klaxon/internal/query"
	"github.com/klaxon-dev/klaxon/rules"
)

// ruleFlags choose the rules of a command.
type ruleFlags struct {
	paths     []string
	noBuiltin bool
}

func (f *ruleFlags) add(flags *pflag.FlagSet) {
	flags.StringArrayVar(&f.paths, "rules", nil, "file or directory of rules to add; may be repeated")
	flags.BoolVar(&f.noBuiltin, "no-builtin", false, "leave the builtin rules out")
}

func (f *ruleFlags) sources() rules.Sources {
	return rules.Sources{NoBuiltin: f.noBuiltin, Paths: f.paths, Now: time.Now()}
}

// load returns the rules. Every mistake in them is said on w and ends the
// command: what would not be looked for must not go unseen.
func (f *ruleFlags) load(w io.Writer) (*rules.Set, error) {
	set, problems := rules.Load(f.sources())
	for _, p := range problems.Aged() {
		fmt.Fprintln(w, output.Message(p.Error()))
	}
	if broken := problems.Errors(); len(broken) > 0 {
		for _, p := range broken {
			fmt.Fprintln(w, output.Message(p.Error()))
		}
		return nil, usagef("%s in the rules: mend them, or leave the files out", plural(int64(len(broken)), "mistake"))
	}
	if len(set.Rules) == 0 {
		return nil, usagef("there are no rules: --no-builtin needs --rules")
	}
	return set, nil
}

func severityNames() []string {
	names := make([]string, len(rules.Severities))
	for i, s := range rules.Severities {
		names[i] = string(s)
	}
	return names
}

// completeWords makes the shell complete a flag's values.
func completeWords(cmd *cobra.Command, flag string, words ...string) {
	// It fails only for a flag that does not exist.
	if err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err)
	}
}

// parseTime reads a time as people give it; "" is the zero time.
func parseTime(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := query.ParseTime(flag, text, now)
	if err != nil {
		return t, usageError{err}
	}
	return t, nil
}
