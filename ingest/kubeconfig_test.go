package ingest

import (
	"testing"

	"github.com/goccy/go-yaml"
)

func TestKubeconfig(t *testing.T) {
	access := WebhookAccess{URL: "https://klaxon.example.com:9443/", Cluster: "prod-1", CA: []byte("PEM"), Token: tokenA}
	text, err := access.Kubeconfig()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/kubeconfig_token.yaml", text)
	access.TokenFile = "/etc/kubernetes/klaxon.token"
	if text, err = access.Kubeconfig(); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/kubeconfig_token_file.yaml", text)
	var any map[string]any
	if err := yaml.Unmarshal([]byte(text), &any); err != nil {
		t.Error(err)
	}
}

func TestWebhookURL(t *testing.T) {
	f := func(base, cluster, want string) {
		t.Helper()
		got, err := WebhookURL(base, cluster)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%s, %s: got %q, %v, want %q", base, cluster, got, err, want)
		}
	}
	f("https://h:1", "a", "https://h:1/webhook/a")
	f("https://h:1/", "a", "https://h:1/webhook/a")
	f("https://h/prefix", "a", "https://h/prefix/webhook/a")
	f("http://h:1", "a", "")
	f("h:1", "a", "")
	f("https://", "a", "")
	f("https://h?x=1", "a", "")
	f("https://u:p@h", "a", "")
	f("https://h", "A", "")
	f("://", "a", "")
}
