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
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/klaxon-dev/klaxon/ingest"
	"github.com/klaxon-dev/klaxon/internal/datadir"
	"github.com/klaxon-dev/klaxon/internal/output"
)

// hostKubeconfig is where the printed kubeconfig should lie on the API server's
// host.
const hostKubeconfig = "/etc/kubernetes/klaxon-webhook.yaml"

func newSenderCommand(streams Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sender",
		Short: "Give clusters the credentials to send audit events",
		Long: `Sender keeps the credentials by which API servers send to the webhook
receiver. Each stands for one cluster: that an event is of a cluster follows
from the credential it came with, never from the event.

A running serve sees changes within a second.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("there is no command %q: add, list or remove", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newSenderAddCommand(streams), newSenderListCommand(streams), newSenderRemoveCommand(streams))
	return cmd
}

type senderAddFlags struct {
	dataDir, url, caFile, tokenFile, output string
	rotate                                  bool
}

func newSenderAddCommand(streams Streams) *cobra.Command {
	f := senderAddFlags{output: "text"}
	cmd := &cobra.Command{
		Use:   "add CLUSTER",
		Short: "Make a credential and print how to give it to an API server",
		Long: `Add makes a token for a cluster and prints the kubeconfig and the flags that
the cluster's API servers need to send their audit events.

With --rotate it adds a new token to those of a cluster that has one. The old
token stays valid until the next --rotate, so that API servers can be changed
one after the other. A token that others may know is taken away by
'klaxon sender remove', then add.`,
		Example: `  klaxon sender add prod-1 --url https://klaxon.example.com:9443 --ca-file ca.crt
  klaxon sender add dev -o kubeconfig > klaxon-webhook.yaml
  klaxon sender add prod-1 --rotate`,
		Args: oneCluster("klaxon sender add prod-1"),
		RunE: func(_ *cobra.Command, args []string) error { return f.run(streams, args[0]) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.dataDir, "data-dir", "", "where serve keeps its data")
	flags.StringVar(&f.url, "url", "", "URL at which API servers reach the receiver (default: the local serve's)")
	flags.StringVar(&f.caFile, "ca-file", "", "certificates that sign the receiver's (default: the generated CA; where ingest.tls.cert_file is set, none: the system's count)")
	flags.StringVar(&f.tokenFile, "token-file", "", "path on the API server's host that the kubeconfig names instead of holding the token; an API server reads it again within a minute")
	flags.BoolVar(&f.rotate, "rotate", false, "add a new token beside the cluster's last one")
	flags.StringVarP(&f.output, "output", "o", f.output, "text, json or kubeconfig")
	completeWords(cmd, "output", "text", "json", "kubeconfig")
	return cmd
}

// addedSender is what add prints.
type addedSender struct {
	Cluster    string   `json:"cluster"`
	TokenFile  string   `json:"token_file"`
	Token      string   `json:"token,omitempty"` // where the kubeconfig does not hold it
	URL        string   `json:"url"`
	Kubeconfig string   `json:"kubeconfig"`
	Flags      []string `json:"api_server_flags"`
	Policy     []string `json:"audit_policy"`
}

func (f *senderAddFlags) run(streams Streams, cluster string) error {
	write, ok := map[string]func(io.Writer, addedSender) error{
		"text": writeSenderText, "json": writeSenderJSON, "kubeconfig": writeSenderKubeconfig,
	}[f.output]
	if !ok {
		return usagef("-o %q: want text, json or kubeconfig", f.output)
	}
	dir, err := datadir.Resolve(f.dataDir)
	if err != nil {
		return err
	}
	// All that can be wrong is found before a token is made.
	access, err := f.access(dir, cluster)
	if err != nil {
		return err
	}
	path := ingest.TokenPath(dir.Senders(), cluster)
	token, err := f.token(dir, cluster)
	if err != nil {
		return err
	}
	added := addedSender{
		Cluster: cluster, TokenFile: path,
		Flags: ingest.APIServerFlags(hostKubeconfig), Policy: ingest.PolicyAdvice(),
	}
	if access.TokenFile == "" {
		access.Token = token
	} else {
		added.Token = token
	}
	if added.URL, err = ingest.WebhookURL(access.URL, cluster); err != nil {
		return err
	}
	if added.Kubeconfig, err = access.Kubeconfig(); err != nil {
		return err
	}
	return write(streams.Out, added)
}

// access returns how the receiver is reached, all but the token.
func (f *senderAddFlags) access(dir datadir.Dir, cluster string) (ingest.WebhookAccess, error) {
	access := ingest.WebhookAccess{URL: f.url, Cluster: cluster, TokenFile: f.tokenFile}
	if access.URL == "" {
		access.URL = localWebhook(dir)
	}
	if _, err := ingest.WebhookURL(access.URL, cluster); err != nil {
		return access, usageError{err}
	}
	caFile := f.caFile
	if caFile == "" && localCA(dir) == "" {
		return access, nil // whom the receiver's certificate is of, API servers' systems know
	}
	if caFile == "" {
		made, err := ingest.EnsureDevTLS(dir.TLS(), nil, time.Now())
		if err != nil {
			return access, err
		}
		caFile = made.CAFile
	}
	var err error
	if access.CA, err = os.ReadFile(caFile); err != nil {
		return access, fmt.Errorf("CA certificates: %w", err)
	}
	return access, nil
}

func (f *senderAddFlags) token(dir datadir.Dir, cluster string) (string, error) {
	if f.rotate {
		token, err := ingest.RotateToken(dir.Senders(), cluster)
		if errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("cluster %s has no credential to rotate: leave out --rotate", cluster)
		}
		return token, err
	}
	token, err := ingest.AddToken(dir.Senders(), cluster)
	if errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("cluster %s has a credential already: --rotate adds a new token beside it", cluster)
	}
	return token, err
}

// localWebhook returns the URL of the receiver of the serve that runs, or would
// run, on dir.
func localWebhook(dir datadir.Dir) string {
	if c, err := dir.ReadClient(); err == nil && c.Webhook != "" {
		return c.Webhook
	}
	return "https://" + ingest.DefaultListen
}

func writeSenderText(w io.Writer, s addedSender) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Cluster %s may send to %s. Its tokens are in %s.\n\n", s.Cluster, s.URL, s.TokenFile)
	fmt.Fprintf(&b, "1. Put this file on the API server's host as %s, readable by the API server only:\n\n%s\n", hostKubeconfig, s.Kubeconfig)
	if s.Token != "" {
		fmt.Fprintf(&b, "   and this token into the file that it names:\n\n%s\n\n", s.Token)
	}
	fmt.Fprintf(&b, "2. Start the API server with these flags, beside its --audit-policy-file:\n\n    %s\n\n", strings.Join(s.Flags, "\n    "))
	fmt.Fprintf(&b, "3. For the audit policy:\n\n  - %s\n", strings.Join(s.Policy, "\n  - "))
	_, err := io.WriteString(w, b.String())
	return err
}

func writeSenderJSON(w io.Writer, s addedSender) error { return writeJSON(w, s) }

// writeJSON writes one value, indented.
func writeJSON(w io.Writer, v any) error {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(output.AppendJSON(nil, text.Bytes()))
	return err
}

func writeSenderKubeconfig(w io.Writer, s addedSender) error {
	_, err := io.WriteString(w, s.Kubeconfig)
	return err
}

func newSenderListCommand(streams Streams) *cobra.Command {
	var dataDir, format string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the clusters that have a credential made by 'klaxon sender add'",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			dir, err := datadir.Resolve(dataDir)
			if err != nil {
				return err
			}
			return listSenders(streams.Out, dir, format)
		},
	}
	cmd.Flags().StringVar(&dataDir, "data-dir", "", "where serve keeps its data")
	cmd.Flags().StringVarP(&format, "output", "o", "table", "table or json")
	completeWords(cmd, "output", "table", "json")
	return cmd
}

// listedSender is one row of list.
type listedSender struct {
	Cluster   string    `json:"cluster"`
	Tokens    int       `json:"tokens"`
	Changed   time.Time `json:"changed"`
	TokenFile string    `json:"token_file"`
}

func listSenders(w io.Writer, dir datadir.Dir, format string) error {
	files, err := ingest.TokenFiles(dir.Senders())
	if err != nil {
		return err
	}
	rows := make([]listedSender, len(files))
	for i, f := range files {
		rows[i] = listedSender{Cluster: f.Cluster, Tokens: f.Tokens, Changed: f.Changed.UTC().Truncate(time.Second), TokenFile: filepath.ToSlash(f.Path)}
	}
	switch format {
	case "json":
		return writeJSON(w, map[string]any{"senders": rows})
	case "table":
		columns := []output.Column{{Title: "CLUSTER"}, {Title: "TOKENS"}, {Title: "CHANGED"}, {Title: "FILE", Max: 1024}}
		return writeList(w, output.FormatTable, rows, columns, func(r *listedSender) []string {
			return []string{r.Cluster, strconv.Itoa(r.Tokens), r.Changed.Format(time.RFC3339), r.TokenFile}
		})
	default:
		return usagef("-o %q: want table or json", format)
	}
}

func newSenderRemoveCommand(streams Streams) *cobra.Command {
	var dataDir string
	cmd := &cobra.Command{
		Use:   "remove CLUSTER",
		Short: "Take a cluster's credential away",
		Long: `Remove takes all tokens of a cluster away: its API servers are refused from
then on. What they sent before stays.`,
		Args: oneCluster("klaxon sender remove prod-1"),
		RunE: func(_ *cobra.Command, args []string) error {
			dir, err := datadir.Resolve(dataDir)
			if err != nil {
				return err
			}
			err = os.Remove(ingest.TokenPath(dir.Senders(), args[0]))
			if errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("cluster %s has no credential: 'klaxon sender list' lists those that have", args[0])
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(streams.Out, "Cluster %s may send no more.\n", args[0])
			return err
		},
	}
	cmd.Flags().StringVar(&dataDir, "data-dir", "", "where serve keeps its data")
	return cmd
}

// oneCluster wants the name of one cluster as the only argument.
func oneCluster(example string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usagef("name one cluster: %s", example)
		}
		if err := ingest.CheckCluster(args[0]); err != nil {
			return usageError{err}
		}
		return nil
	}
}

// noArguments wants flags only.
func noArguments(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%q is too much: there are no arguments", args[0])
	}
	return nil
}
