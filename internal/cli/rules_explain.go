package cli

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/detect/ruletest"
	"github.com/klaxon-dev/klaxon/internal/output"
	"github.com/klaxon-dev/klaxon/rules"
)

// explainedRule is what 'rules explain' prints in JSON.
type explainedRule struct {
	ID      rules.RuleID `json:"id"`
	Version string       `json:"version"`
	File    string       `json:"file"`
	Line    int          `json:"line"`
	rules.Explanation
	Nanoseconds float64 `json:"ns_per_candidate,omitempty"` // measured on the events of its tests; 0: it has none
}

func newRulesExplain(streams Streams) *cobra.Command {
	var f ruleFlags
	format := output.FormatTable
	cmd := &cobra.Command{
		Use:   "explain RULE",
		Short: "Show how a rule is evaluated and what it needs",
		Long: `Explain says of a rule which events the index brings to it and what is compared
first, which parts of its conditions are compiled and which are left to the
virtual machine, what an event costs that comes so far (measured here, on the
events of its own tests), at which audit level the fields that it reads are
recorded, and what it cannot see.`,
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
			e := explainedRule{ID: r.ID, Version: r.Version, File: r.File, Line: r.Line, Explanation: rules.Explain(r)}
			if e.Nanoseconds, err = cost(r); err != nil {
				return err
			}
			if format != output.FormatTable {
				return writeList(streams.Out, format, []explainedRule{e}, nil, nil)
			}
			return writeExplanation(streams.Out, &e)
		},
		ValidArgsFunction: f.completeRule,
	}
	f.add(cmd.Flags())
	addFormat(cmd, &format)
	return cmd
}

// measured is for how long the cost of a rule is measured.
const measured = 20 * time.Millisecond

// cost measures the mean time that an event of the rule's tests takes.
func cost(r *rules.Rule) (nanoseconds float64, err error) {
	inputs, err := ruletest.Inputs(r)
	if err != nil || len(inputs) == 0 {
		return 0, err
	}
	matcher := detect.NewMatcher(&rules.Set{Rules: []*rules.Rule{r}})
	var matches []detect.Match
	events := 0
	start := time.Now()
	for time.Since(start) < measured {
		for i := range inputs {
			matches = matcher.Match(&inputs[i], matches[:0])
			events++
		}
	}
	return float64(time.Since(start).Nanoseconds()) / float64(events), nil
}

func writeExplanation(out io.Writer, e *explainedRule) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(name, text string) { fmt.Fprintf(w, "%s\t%s\n", name, output.Text(text, 4096)) }
	list := func(name string, texts []string) {
		for _, t := range texts {
			line(name, t)
			name = ""
		}
	}
	line("rule", fmt.Sprintf("%s, version %s, %s:%d", e.ID, e.Version, e.File, e.Line))
	for _, p := range e.Parts {
		fmt.Fprintln(w)
		list(p.Name, lines(p.Conditions))
		list("  candidate where", orElse(constraints(p.Candidate), "every event is one"))
		list("  compared first", constraints(p.Requires))
		line("  tier", string(p.Tier))
		list("  virtual machine", p.Machine)
	}
	fmt.Fprintln(w)
	if e.Nanoseconds > 0 {
		line("cost", fmt.Sprintf("%.0f ns an event of its tests, measured here", e.Nanoseconds))
	} else {
		line("cost", "not measured: the rule has no tests")
	}
	list("fields", fieldNeeds(e.Fields))
	list("blind to", e.Blind)
	list("known evasions", orElse(e.Evaded, "none"))
	return w.Flush()
}

// lines are those of all texts.
func lines(texts []string) []string {
	var all []string
	for _, t := range texts {
		all = append(all, strings.Split(t, "\n")...)
	}
	return all
}

func orElse(texts []string, otherwise string) []string {
	if len(texts) == 0 {
		return []string{otherwise}
	}
	return texts
}

func constraints(list []rules.Constraint) []string {
	var texts []string
	for _, c := range list {
		word, values := "is", c.In
		switch {
		case len(c.NotIn) > 0:
			word, values = "is not", c.NotIn
		case len(c.Begins) > 0:
			word, values = "begins with", c.Begins
		case len(c.Holds) > 0:
			word, values = "holds", c.Holds
		}
		shown := make([]string, len(values))
		for i, v := range values {
			if shown[i] = v; v == "" {
				shown[i] = `""`
			}
		}
		texts = append(texts, fmt.Sprintf("%s %s %s", c.Field, word, strings.Join(shown, ", ")))
	}
	return texts
}

// fieldNeeds lists fields by the level that they need.
func fieldNeeds(fields []rules.FieldNeed) []string {
	var levels []string
	byLevel := map[string][]string{}
	for _, f := range fields {
		level := f.Level
		if f.Note != "" {
			level += " (" + f.Note + ")"
		}
		if byLevel[level] == nil {
			levels = append(levels, level)
		}
		byLevel[level] = append(byLevel[level], f.Field)
	}
	texts := make([]string, len(levels))
	for i, level := range levels {
		texts[i] = level + ": " + strings.Join(byLevel[level], ", ")
	}
	return texts
}
