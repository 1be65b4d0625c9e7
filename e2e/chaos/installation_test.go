package chaos

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klaxon-dev/klaxon/e2e/process"
	"github.com/klaxon-dev/klaxon/ingest"
	"github.com/klaxon-dev/klaxon/internal/datadir"
	"github.com/klaxon-dev/klaxon/internal/secretfile"
)

// class is a kind of processes.
type class string

const (
	ingesting class = "ingest"
	matchers  class = "match"
	windowers class = "window"
	storers   class = "store"
	answering class = "api"
	engines   class = "engine"
	broking   class = "broker"
)

// classes are all of them.
var classes = []class{ingesting, matchers, windowers, storers, answering, engines, broking}

// secrets are what the processes of an installation share: files.
type secrets struct {
	redaction, rules string
	tokens           map[string]string // by cluster
	tls              ingest.DevTLS
}

func newSecrets(t *testing.T, dir string) secrets {
	t.Helper()
	s := secrets{redaction: filepath.Join(dir, "redaction.key"), tokens: map[string]string{}}
	files := []string{s.redaction}
	for _, cluster := range Clusters {
		s.tokens[cluster] = filepath.Join(dir, cluster+".token")
		files = append(files, s.tokens[cluster])
	}
	var err error
	if s.tls, err = ingest.EnsureDevTLS(filepath.Join(dir, "tls"), nil, time.Now()); err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		if _, err := secretfile.Ensure(path); err != nil {
			t.Fatal(err)
		}
	}
	if s.rules, err = filepath.Abs("rules.yaml"); err != nil {
		t.Fatal(err)
	}
	return s
}

// senders are the clusters that may send, as the configuration has them.
func (s *secrets) senders() string {
	var all []string
	for _, cluster := range Clusters {
		all = append(all, fmt.Sprintf("{cluster: %s, token_file: %s}", cluster, s.tokens[cluster]))
	}
	return strings.Join(all, ", ")
}

func (s *secrets) read(t *testing.T, path string) string {
	t.Helper()
	text, err := secretfile.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// client returns one that trusts the installation.
func (s *secrets) client(t *testing.T) *http.Client {
	t.Helper()
	text, err := os.ReadFile(s.tls.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// installation is a number of nodes that make one klaxon.
type installation struct {
	t       *testing.T
	dir     string
	shared  secrets
	more    string // of every node's configuration
	nodes   []*node
	doors   *Doors
	api     datadir.Dir // of the process that answers
	answers string      // its URL
	running sync.WaitGroup
}

func newInstallation(t *testing.T, dir string, s secrets, more string) *installation {
	t.Helper()
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	i := &installation{t: t, dir: dir, shared: s, more: more, doors: &Doors{Client: s.client(t), Tokens: map[string]string{}}}
	for cluster, path := range s.tokens {
		i.doors.Tokens[cluster] = s.read(t, path)
	}
	return i
}

const nodeConfig = `
ingest:
  listen: $WEBHOOK
  instance: $NAME
  heartbeat: 1s
  tls: {cert_file: $CERT, key_file: $KEY}
  senders: [$SENDERS]
api: {listen: $API, tls: {cert_file: $CERT, key_file: $KEY}}
metrics: {listen: $METRICS}
redaction: {key_file: $REDACTION}
rules: {paths: [$RULES]}
`

// add adds a node that serves roles; the clock of the receivers can be moved.
func (i *installation) add(name string, of class, roles string) *node {
	i.t.Helper()
	data := datadir.Dir(filepath.Join(i.dir, name))
	webhook, api, metrics := address(i.t), address(i.t), address(i.t)
	text := os.Expand(nodeConfig, func(what string) string {
		return map[string]string{
			"WEBHOOK": webhook, "API": api, "METRICS": metrics, "NAME": name,
			"CERT": i.shared.tls.CertFile, "KEY": i.shared.tls.KeyFile, "SENDERS": i.shared.senders(),
			"REDACTION": i.shared.redaction, "RULES": i.shared.rules,
		}[what]
	})
	config := filepath.Join(i.dir, name+".yaml")
	if err := os.WriteFile(config, []byte(text+i.more), 0o600); err != nil {
		i.t.Fatal(err)
	}
	if strings.Contains(roles, "ingest") {
		i.doors.All = append(i.doors.All, &Door{Name: name, URL: "https://" + webhook})
	}
	if strings.Contains(roles, "api") {
		i.api, i.answers = data, "https://"+api
	}
	n := &node{
		name: name, class: of, log: filepath.Join(i.dir, name+".log"), metrics: "http://" + metrics,
		args: []string{"serve", i.clock(), config, data.String(), roles},
	}
	i.nodes = append(i.nodes, n)
	return n
}

// clock is the file that moves the clocks of receivers and of the log.
func (i *installation) clock() string { return filepath.Join(i.dir, "clock") }

func address(t *testing.T) string {
	t.Helper()
	port, err := process.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return "127.0.0.1:" + port
}

// of returns the nodes of a class.
func (i *installation) of(c class) []*node {
	var some []*node
	for _, n := range i.nodes {
		if n.class == c {
			some = append(some, n)
		}
	}
	return some
}

// start starts nodes. They run until ctx ends.
func (i *installation) start(ctx context.Context, nodes ...*node) {
	for _, n := range nodes {
		i.running.Go(func() { n.run(ctx) })
	}
}

// ready waits until nodes are.
func (i *installation) ready(ctx context.Context, nodes ...*node) error {
	for _, n := range nodes {
		if n.metrics == "" {
			continue
		}
		if err := again(ctx, func() error { return n.ready(ctx) }); err != nil {
			return err
		}
	}
	return nil
}
