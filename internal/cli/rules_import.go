package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/klaxon-dev/klaxon/internal/output"
	"github.com/klaxon-dev/klaxon/rules"
	"github.com/klaxon-dev/klaxon/rules/sigma"
)

// Bounds on what one import reads.
const (
	maxImportFiles = 50_000
	maxImportBytes = 256 << 20
)

func newRulesImport(streams Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import",
		Short: "Convert rules of other formats",
		Args:  noArguments,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newRulesImportSigma(streams))
	return cmd
}

func newRulesImportSigma(streams Streams) *cobra.Command {
	im := importer{streams: streams, format: "text"}
	cmd := &cobra.Command{
		Use:   "sigma DIR|FILE…",
		Short: "Convert Sigma rules for the audit log of Kubernetes",
		Long: `Sigma converts Sigma rules whose log source is the audit log of Kubernetes, and
correlations of them, into rules of Klaxon. docs/sigma.md says what becomes of
what.

The converted rules go to standard output, or to a directory, a file each; what
could not be converted, why, and what can never fire go to standard error.
Exit status 1 if a rule for the audit log was not converted.

  klaxon rules import sigma ./sigma/rules                  look at them
  klaxon rules import sigma ./sigma/rules --out ./rules    keep them
  klaxon rules lint --rules ./rules                        check them`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("name a directory or files of Sigma rules")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error { return im.run(args) },
	}
	cmd.Flags().StringVar(&im.out, "out", "", "directory to write the converted rules to, a file each")
	cmd.Flags().BoolVar(&im.force, "force", false, "overwrite files in the directory")
	cmd.Flags().StringVarP(&im.format, "output", "o", "text", "text: rules and a report; json: one array of all that was read")
	completeWords(cmd, "output", "text", "json")
	return cmd
}

// importer is a run of 'rules import sigma'.
type importer struct {
	streams Streams
	out     string
	force   bool
	format  string
}

func (im *importer) run(paths []string) error {
	switch {
	case im.format != "text" && im.format != "json":
		return usagef("there is no output %q: want text or json", im.format)
	case im.force && im.out == "":
		return usagef("--force goes with --out: nothing else is written to")
	}
	files, err := readSigma(paths)
	if err != nil {
		return err
	}
	converted := sigma.Convert(files, builtinIDs())
	if im.out != "" {
		if err := im.writeFiles(converted); err != nil {
			return err
		}
	}
	if err := im.print(converted); err != nil {
		return err
	}
	return im.summary(converted)
}

// builtinIDs returns the ids that no imported rule may have.
func builtinIDs() []rules.RuleID {
	set, _ := rules.Load(rules.Sources{})
	ids := make([]rules.RuleID, len(set.Rules))
	for i, r := range set.Rules {
		ids[i] = r.ID
	}
	return ids
}

// print writes what was converted and says what was not.
func (im *importer) print(converted []sigma.Rule) error {
	if im.format == "json" {
		var text bytes.Buffer
		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(converted); err != nil {
			return err
		}
		_, err := im.streams.Out.Write(output.AppendJSON(nil, text.Bytes()))
		return err
	}
	divider := ""
	for _, r := range converted {
		if r.Outcome == sigma.OtherLog {
			continue
		}
		for _, p := range r.Problems {
			fmt.Fprintln(im.streams.Err, output.Text(p.Error(), 1024))
		}
		if r.Document == "" || im.out != "" {
			continue
		}
		if _, err := fmt.Fprintf(im.streams.Out, "%s%s", divider, r.Document); err != nil {
			return err
		}
		divider = "---\n"
	}
	return nil
}

// summary says how it went, also by the exit status.
func (im *importer) summary(converted []sigma.Rule) error {
	count := map[sigma.Outcome]int64{}
	for _, r := range converted {
		count[r.Outcome]++
	}
	fmt.Fprintf(im.streams.Err, "%s converted, %d refused, %d can never fire, %d skipped, %d for other logs\n",
		plural(count[sigma.Converted], "rule"), count[sigma.Refused], count[sigma.Dead], count[sigma.Skipped], count[sigma.OtherLog])
	switch {
	case count[sigma.Refused]+count[sigma.Dead] > 0:
		return exitError{exitFailed}
	case count[sigma.OtherLog] == int64(len(converted)):
		return errors.New("no rule is for the audit log of Kubernetes (product: kubernetes, service: audit): is it the right directory?")
	}
	return nil
}

// writeFiles writes a file for each converted rule. It writes none if one of
// them is there already.
func (im *importer) writeFiles(converted []sigma.Rule) error {
	if err := os.MkdirAll(im.out, 0o755); err != nil {
		return err
	}
	var there []string
	for _, r := range converted {
		if _, err := os.Lstat(im.fileOf(&r)); r.Document != "" && err == nil {
			there = append(there, im.fileOf(&r))
		}
	}
	if len(there) > 0 && !im.force {
		return fmt.Errorf("nothing is written, these files are there already: %s: name another directory, or --force to overwrite them",
			strings.Join(there[:min(len(there), 10)], ", "))
	}
	for _, r := range converted {
		if r.Document == "" {
			continue
		}
		if err := im.writeFile(im.fileOf(&r), r.Document); err != nil {
			return err
		}
	}
	return nil
}

func (im *importer) fileOf(r *sigma.Rule) string {
	return filepath.Join(im.out, string(r.ID)+".yaml")
}

func (im *importer) writeFile(path, text string) error {
	flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if im.force {
		flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	f, err := os.OpenFile(path, flags, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// readSigma reads files, and the .yml and .yaml files below directories.
func readSigma(paths []string) ([]sigma.File, error) {
	var names []string
	for _, path := range paths {
		err := filepath.WalkDir(path, func(name string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			ext := strings.ToLower(filepath.Ext(name))
			if name == path && !e.IsDir() || e.Type().IsRegular() && (ext == ".yml" || ext == ".yaml") {
				names = append(names, name)
			}
			if len(names) > maxImportFiles {
				return fmt.Errorf("%s holds more than %d files: name a directory of fewer", path, maxImportFiles)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("there is no .yml or .yaml file in %s", strings.Join(paths, ", "))
	}
	return readSigmaFiles(names)
}

func readSigmaFiles(names []string) ([]sigma.File, error) {
	files := make([]sigma.File, len(names))
	total := 0
	for i, name := range names {
		src, err := readAtMost(name, sigma.MaxFileBytes+1)
		if err != nil {
			return nil, err
		}
		if total += len(src); total > maxImportBytes {
			return nil, fmt.Errorf("the files have more than %d bytes: import them in parts", maxImportBytes)
		}
		files[i] = sigma.File{Name: name, Source: src}
	}
	return files, nil
}

// readAtMost reads no more than that many bytes of a file: one more than is
// allowed is enough for it to be refused.
func readAtMost(name string, bytes int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, bytes))
}
