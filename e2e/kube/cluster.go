// Package kube runs a real Kubernetes control plane on loopback: etcd,
// kube-apiserver and, where they are asked for, kube-controller-manager,
// kube-scheduler and nodes that only pretend to run pods.
package kube

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"k8s.io/client-go/rest"

	"github.com/klaxon-dev/klaxon/e2e/process"
)

// AdminGroup may do everything in a cluster.
const AdminGroup = "system:masters"

// stopGrace is how long a process may take to end. An API server waits about
// 30 s for a webhook that does not answer.
const stopGrace = 45 * time.Second

// Options say what a cluster consists of.
type Options struct {
	// Dir is an existing directory that keeps certificates, data and logs.
	Dir string
	// Policy is the audit policy's file; "" records everything at Metadata, but
	// for the stage RequestReceived.
	Policy string
	// Webhook is the kubeconfig of the audit webhook; "": there is none.
	Webhook string
	// Flags are further flags of kube-apiserver; they win over those set here.
	Flags []string
	// Controllers runs kube-controller-manager, which makes the service accounts
	// without which no pod is admitted.
	Controllers bool
	// Scheduler runs kube-scheduler.
	Scheduler bool
	// Nodes is the number of pretended nodes: node-1, node-2, …
	Nodes int
	// Logger gets what the nodes have to say. Default: nowhere.
	Logger *slog.Logger
}

// Cluster is a running control plane on loopback. Its methods are safe for
// concurrent use, except Stop.
type Cluster struct {
	Dir      string
	URL      string // of the API server
	CAFile   string // certificates that sign the API server's
	AuditLog string // --audit-log-path: every event that the policy lets through, one a line

	ca        *authority
	options   Options
	processes []*process.Process // in the order of their start
	nodes     []*node
}

// Start boots a cluster and returns when it answers and its nodes are there.
// What had started is stopped again if anything fails. The binaries must have
// been built: see Build.
func Start(ctx context.Context, o Options) (*Cluster, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Cluster{Dir: o.Dir, AuditLog: filepath.Join(o.Dir, "audit.log"), options: o}
	if err := c.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start a cluster in %s: %w", o.Dir, err), c.Stop())
	}
	return c, nil
}

func (c *Cluster) start(ctx context.Context) error {
	if err := c.writeFiles(); err != nil {
		return err
	}
	bin, err := Binaries()
	if err != nil {
		return err
	}
	etcd, err := c.startEtcd(ctx, bin)
	if err != nil {
		return err
	}
	if err := c.startAPIServer(ctx, bin, etcd); err != nil {
		return err
	}
	if c.options.Controllers {
		if err := c.startControllers(bin); err != nil {
			return err
		}
	}
	if c.options.Scheduler {
		if err := c.startScheduler(bin); err != nil {
			return err
		}
	}
	for i := range c.options.Nodes {
		if err := c.startNode(ctx, "node-"+strconv.Itoa(i+1)); err != nil {
			return err
		}
	}
	return nil
}

// Stop ends what Start started, the last first, and returns what did not end
// well: a process that had died before, or that had to be killed.
func (c *Cluster) Stop() error {
	var errs []error
	for _, n := range c.nodes {
		n.stop()
	}
	for i := len(c.processes) - 1; i >= 0; i-- {
		errs = append(errs, c.processes[i].Stop(stopGrace))
	}
	c.nodes, c.processes = nil, nil
	return errors.Join(errs...)
}

// run starts one of the binaries.
func (c *Cluster) run(bin, name string, args ...string) (*process.Process, error) {
	p, err := process.Start(filepath.Join(bin, name), c.path(name+".log"), args...)
	if err == nil {
		c.processes = append(c.processes, p)
	}
	return p, err
}

// Config returns a client with a fresh client certificate of the cluster's CA.
func (c *Cluster) Config(user string, groups ...string) (*rest.Config, error) {
	cert, key, err := c.ca.client(user, groups...)
	if err != nil {
		return nil, err
	}
	config := c.Anonymous()
	config.CertData, config.KeyData = cert, key
	return config, nil
}

// ConfigWithToken returns a client that shows a bearer token.
func (c *Cluster) ConfigWithToken(token string) *rest.Config {
	config := c.Anonymous()
	config.BearerToken = token
	return config
}

// Anonymous returns a client that shows nothing.
func (c *Cluster) Anonymous() *rest.Config {
	return &rest.Config{
		Host:            c.URL,
		TLSClientConfig: rest.TLSClientConfig{CAData: c.ca.pem},
		QPS:             -1, // the API server has limits of its own
	}
}

// pair returns a certificate as servers in this process use it.
func pair(cert, key []byte, err error) (tls.Certificate, error) {
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(cert, key)
}

// write keeps a file that is nobody else's business.
func (c *Cluster) write(name string, text []byte) error {
	return os.WriteFile(c.path(name), text, 0o600)
}

func (c *Cluster) path(name string) string { return filepath.Join(c.Dir, name) }
