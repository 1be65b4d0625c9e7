package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/pflag"

	"github.com/klaxon-dev/klaxon/ingest"
	"github.com/klaxon-dev/klaxon/internal/datadir"
)

// destination are the flags that say to which receiver, and as whom, events are
// sent.
type destination struct{ dataDir, to, tokenFile, caFile, cluster, kubeconfig string }

func (d *destination) add(flags *pflag.FlagSet) {
	flags.StringVar(&d.to, "to", "", "URL of the receiver (default: the local serve's)")
	flags.StringVar(&d.tokenFile, "token-file", "", "file of the sender's token (default: of the local sender)")
	flags.StringVar(&d.caFile, "ca-file", "", "certificates that sign the receiver's (default: the local CA; with --to the system's)")
	flags.StringVar(&d.cluster, "cluster", "", "cluster to send as, where --to has no path (default: the only local sender)")
	flags.StringVar(&d.kubeconfig, "kubeconfig", "", "file that says all of this, as an API server's --audit-webhook-config-file does")
	flags.StringVar(&d.dataDir, "data-dir", "", "where the local serve keeps its data")
}

// receiver is where events are sent to.
type receiver struct {
	URL    string
	Client *http.Client
	token  func() (string, error)
}

// resolve finds out what the flags leave open. A token that is not there is an
// error now.
func (d *destination) resolve() (*receiver, error) {
	r := &receiver{}
	find := r.byFlags
	if d.kubeconfig != "" {
		find = r.byKubeconfig
	}
	if err := find(d); err != nil {
		return nil, err
	}
	_, err := r.token()
	return r, err
}

func (r *receiver) byKubeconfig(d *destination) error {
	if d.to != "" || d.tokenFile != "" || d.caFile != "" || d.cluster != "" {
		return usagef("--kubeconfig says what --to, --token-file, --ca-file and --cluster would: leave these out")
	}
	k, err := ingest.ReadKubeconfig(d.kubeconfig)
	if err != nil {
		return err
	}
	r.URL = k.URL()
	r.token = func() (string, error) {
		k, err := ingest.ReadKubeconfig(d.kubeconfig)
		if err != nil {
			return "", err
		}
		return k.Token()
	}
	r.Client, err = k.Client()
	return err
}

func (r *receiver) byFlags(d *destination) error {
	dir, err := datadir.Resolve(d.dataDir)
	if err != nil {
		return err
	}
	cluster, tokenFile := d.cluster, d.tokenFile
	if tokenFile == "" {
		if cluster, _, err = ingest.LocalToken(dir.Senders(), d.cluster); err != nil {
			return err
		}
		tokenFile = ingest.TokenPath(dir.Senders(), cluster)
	}
	r.token = func() (string, error) { return ingest.ReadToken(tokenFile) }
	base, caFile := d.to, d.caFile
	if base == "" {
		base = localWebhook(dir)
		if caFile == "" {
			caFile = localCA(dir)
		}
	}
	if r.URL, err = webhookURL(base, cluster); err != nil {
		return err
	}
	r.Client, err = ingest.NewReplayClient(caFile)
	return err
}

// post sends a body once, with the token that its file holds now.
func (r *receiver) post(ctx context.Context, body []byte) error {
	token, err := r.token()
	if err != nil {
		return err
	}
	return (&ingest.Poster{URL: r.URL, Token: token, Client: r.Client}).Post(ctx, body)
}

// webhookURL completes a URL without a path.
func webhookURL(base, cluster string) (string, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return "", usagef("--to %q: want https://host:port or https://host:port/webhook/CLUSTER", base)
	}
	if u.Path != "" && u.Path != "/" {
		return u.String(), nil
	}
	if cluster == "" {
		return "", usagef("--to %q names no cluster: add its path /webhook/CLUSTER, or --cluster", base)
	}
	to, err := ingest.WebhookURL(base, cluster)
	if err != nil {
		return "", usageError{err}
	}
	return to, nil
}

// localCA returns what signs the certificate of the receiver of the serve that
// runs, or would run, on dir; "" stands for the system's.
func localCA(dir datadir.Dir) string {
	if c, err := dir.ReadClient(); err == nil {
		return c.WebhookCAFile
	}
	return ingest.DevTLSFiles(dir.TLS()).CAFile
}

// unreachable adds what to do to the error of a connection.
func unreachable(to string, err error) error {
	var failed *url.Error
	if errors.As(err, &failed) && failed.Op == "Post" {
		return fmt.Errorf("%w: is 'klaxon serve' running, and is %s its webhook?", err, to)
	}
	return err
}
