package cli

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The reference of the command line is made from the help texts.
func TestCommandReference(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Command line\n\n<!-- Generated from the help texts: go test ./internal/cli -run Reference -update -->\n\n")
	b.WriteString("Exit status: 0 done, 1 failed, 2 the command line or configuration is wrong, 3 `scan --fail-on` found something as bad.\n")
	root := newRoot(Streams{})
	root.InitDefaultHelpCmd()
	describe(t, &b, root)
	const golden = "../../docs/cli.md"
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("docs/cli.md is out of date: run 'go test ./internal/cli -run Reference -update' (-want +got):\n%s", diff)
	}
}

func describe(t *testing.T, b *strings.Builder, cmd *cobra.Command) {
	if cmd.Name() == "help" || cmd.Hidden {
		return
	}
	if cmd.Short == "" {
		t.Errorf("%s has no short description", cmd.CommandPath())
	}
	fmt.Fprintf(b, "\n## %s\n\n```\n", cmd.CommandPath())
	text := cmd.Long
	if text == "" {
		text = cmd.Short + "."
	}
	b.WriteString(text + "\n\n" + strings.TrimRight(cmd.UsageString(), "\n") + "\n```\n")
	for _, sub := range cmd.Commands() {
		describe(t, b, sub)
	}
}
