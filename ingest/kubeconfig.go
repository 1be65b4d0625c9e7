package ingest

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"

	"github.com/goccy/go-yaml"
)

// WebhookAccess is what an API server needs to send to a receiver.
type WebhookAccess struct {
	URL     string // of the receiver: https://host:port
	Cluster string
	CA      []byte // PEM of the certificates that sign the receiver's; nil: the system's do

	// Exactly one of these: Token is written into the kubeconfig, which an API
	// server reads once; a file is read again by it within a minute.
	Token     string
	TokenFile string // on the API server's host
}

// WebhookURL returns where the events of a cluster are sent to. An API server
// drops the query of its webhook's URL, so the cluster is in the path.
func WebhookURL(base, cluster string) (string, error) {
	u, err := url.Parse(base)
	if err != nil {
		return "", fmt.Errorf("URL %q: %w", base, err)
	}
	if u.Scheme != "https" || u.Host == "" {
		return "", fmt.Errorf("URL %q: want https://host:port; over plain http an API server sends no token at all", base)
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("URL %q: want no user, query or fragment", u.Redacted())
	}
	if err := CheckCluster(cluster); err != nil {
		return "", err
	}
	return u.JoinPath("webhook", cluster).String(), nil
}

// Kubeconfig returns the file for the flag --audit-webhook-config-file.
func (a WebhookAccess) Kubeconfig() (string, error) {
	server, err := WebhookURL(a.URL, a.Cluster)
	if err != nil {
		return "", err
	}
	user := yaml.MapSlice{}
	if a.TokenFile != "" {
		user = append(user, yaml.MapItem{Key: "tokenFile", Value: a.TokenFile})
	} else {
		user = append(user, yaml.MapItem{Key: "token", Value: a.Token})
	}
	cluster := yaml.MapSlice{{Key: "server", Value: server}}
	if len(a.CA) > 0 {
		cluster = append(cluster, yaml.MapItem{Key: "certificate-authority-data", Value: base64.StdEncoding.EncodeToString(a.CA)})
	}
	config := yaml.MapSlice{
		{Key: "apiVersion", Value: "v1"},
		{Key: "kind", Value: "Config"},
		{Key: "clusters", Value: named("klaxon", "cluster", cluster)},
		{Key: "users", Value: named("klaxon", "user", user)},
		{Key: "contexts", Value: named("klaxon", "context", yaml.MapSlice{
			{Key: "cluster", Value: "klaxon"},
			{Key: "user", Value: "klaxon"},
		})},
		{Key: "current-context", Value: "klaxon"},
	}
	text, err := yaml.Marshal(config)
	return string(text), err
}

// named is a list of one named entry, as kubeconfigs have them.
func named(name, kind string, value yaml.MapSlice) []yaml.MapSlice {
	return []yaml.MapSlice{{{Key: "name", Value: name}, {Key: kind, Value: value}}}
}

// APIServerFlags returns the flags that an API server should have, given where
// the kubeconfig lies on its host.
func APIServerFlags(kubeconfig string) []string {
	return []string{
		"--audit-webhook-config-file=" + kubeconfig,
		"--audit-webhook-mode=batch",
		"--audit-webhook-batch-max-wait=1s",   // default 30s: so much later would a finding come
		"--audit-webhook-initial-backoff=10s", // retries go on for 90 s, nearly 4 min against 503
	}
}

// PolicyAdvice says what an audit policy must record for the rules to see.
func PolicyAdvice() []string {
	return strings.Split(strings.TrimSpace(`
Record every resource at level Metadata at least: secrets, configmaps and token reviews not above it if their values must not leave the API server.
Record RBAC objects, pods, workloads and webhook configurations at level Request or RequestResponse: rules on what they contain are blind below it.
Do not omit the stages ResponseStarted and ResponseComplete: a failed login (401) is recorded at ResponseStarted only. RequestReceived can be omitted.
Leave --audit-webhook-truncate-enabled off: events past its limit are discarded unseen.
Keep --audit-log-path beside the webhook: what the webhook loses when an API server stops is in that file.
`), "\n")
}
