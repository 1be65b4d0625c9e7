package canary

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/klaxon-dev/klaxon/e2e/kube"
	"github.com/klaxon-dev/klaxon/e2e/serve"
)

// The user whose requests are not recorded, and the one whose are.
const (
	unrecorded = "setup"
	recorded   = "canary"
)

// policy records everything that can be, but what prepares the places.
const policy = `apiVersion: audit.k8s.io/v1
kind: Policy
rules:
  - {level: None, users: [` + unrecorded + `, e2e-start]}
  - {level: RequestResponse}
`

// config switches off what would hide a value from the search.
const config = redaction + `
stream: {local: {compression: none}}
log: {level: debug}
`

// lab is a cluster whose API server sends its events to a klaxon.
type lab struct {
	*testing.T
	dir     string
	engine  *engine
	serve   *serve.Serve
	cluster *kube.Cluster
	clients map[string]*http.Client
}

func newLab(ctx context.Context, t *testing.T, open bool) *lab {
	t.Helper()
	dir, err := os.MkdirTemp("", "kc-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	l := &lab{T: t, dir: dir, clients: map[string]*http.Client{}}
	t.Cleanup(l.tellLogs)
	binary := build(t, l.subdirectory("bin"), open)
	t.Setenv("KLAXON", binary)
	l.engine = startEngine(ctx, t, binary, l.subdirectory("klaxon"))
	l.startServe(ctx)
	l.engine.uncompress(ctx, t)
	l.startCluster(ctx)
	return l
}

// tellLogs shows how the logs of klaxon end, where the test has failed.
func (l *lab) tellLogs() {
	if !l.Failed() {
		return
	}
	for _, name := range []string{"serve.log", "engine.log"} {
		text, err := os.ReadFile(filepath.Join(l.dir, "klaxon", name))
		l.Logf("the end of %s: %v\n%s", name, err, text[max(0, len(text)-4000):])
	}
}

// subdirectory is made if need be.
func (l *lab) subdirectory(name string) string {
	l.Helper()
	path := filepath.Join(l.dir, name)
	l.check(os.MkdirAll(path, 0o700))
	return path
}

func (l *lab) check(err error) {
	l.Helper()
	if err != nil {
		l.Fatal(err)
	}
}

func (l *lab) startServe(ctx context.Context) {
	l.Helper()
	var err error
	l.serve, err = serve.New(l.subdirectory("klaxon"), config+l.engine.config())
	l.check(err)
	l.check(l.serve.Start(ctx))
	l.Cleanup(func() { _ = l.serve.Kill() }) // it may have been killed already
}

func (l *lab) startCluster(ctx context.Context) {
	l.Helper()
	dir := l.subdirectory("cluster")
	webhook, err := l.serve.Sender(ctx, "prod")
	l.check(err)
	path := filepath.Join(dir, "policy.yaml")
	write(l.T, path, []byte(policy))
	l.cluster, err = kube.Start(ctx, kube.Options{
		Dir: dir, Policy: path, Webhook: webhook,
		Flags: []string{"--audit-webhook-batch-max-wait=200ms", "--audit-webhook-initial-backoff=1s"},
	})
	l.check(err)
	l.Cleanup(func() {
		if err := l.cluster.Stop(); err != nil {
			l.Error(err)
		}
	})
	for _, user := range []string{unrecorded, recorded} {
		c, err := l.cluster.Config(user, kube.AdminGroup)
		l.check(err)
		l.clients[user], err = rest.HTTPClientFor(c)
		l.check(err)
	}
}

// do makes a request whose events are named by auditID, and returns its answer.
func (l *lab) do(ctx context.Context, user, auditID string, r request) []byte {
	l.Helper()
	code, answer, err := l.try(ctx, user, auditID, r)
	l.check(err)
	if code != r.code && (r.code != 0 || code >= 300) {
		l.Fatalf("%s: %s %s is answered with %d: %s", auditID, r.method, r.path, code, answer)
	}
	return answer
}

func (l *lab) try(ctx context.Context, user, auditID string, r request) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, r.method, l.cluster.URL+r.path, strings.NewReader(r.body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", or(r.contentType, "application/json"))
	req.Header.Set("Accept", or(r.accept, "application/json"))
	req.Header.Set("Audit-ID", auditID)
	answer, err := l.clients[user].Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	return answer.StatusCode, text, err
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// postMalformed sends a body to klaxon as the API server would.
func (l *lab) postMalformed(ctx context.Context, body string) {
	l.Helper()
	token, err := os.ReadFile(filepath.Join(l.serve.Data.Senders(), "prod.token"))
	l.check(err)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.serve.Webhook+"/webhook/prod", strings.NewReader(body))
	l.check(err)
	req.Header.Set("Authorization", "Bearer "+string(bytes.TrimSpace(token)))
	client := http.Client{Transport: &http.Transport{TLSClientConfig: trust(l.T, filepath.Join(l.serve.Data.TLS(), "ca.crt"))}}
	answer, err := client.Do(req)
	l.check(err)
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		l.Fatalf("the malformed item is answered with %s", answer.Status)
	}
}

// until asks again and again until there is no error.
func (l *lab) until(ctx context.Context, what string, ask func() error) {
	l.Helper()
	ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for err := ask(); err != nil; err = ask() {
		select {
		case <-ctx.Done():
			l.Fatalf("%s: %v", what, err)
		case <-again.C:
		}
	}
}

// stored returns nil when the store holds an event of every request.
func (l *lab) stored(ctx context.Context, auditIDs []string) error {
	text, err := l.engine.ask(ctx, "TabSeparated", "SELECT DISTINCT audit_id FROM klaxon.audit_events WHERE stage = 'ResponseComplete'")
	if err != nil {
		return err
	}
	there := map[string]bool{}
	for _, id := range strings.Fields(string(text)) {
		there[id] = true
	}
	missing := slices.DeleteFunc(slices.Clone(auditIDs), func(id string) bool { return there[id] })
	if len(missing) > 0 {
		return fmt.Errorf("the events of %d requests are missing: %v", len(missing), missing)
	}
	return nil
}
