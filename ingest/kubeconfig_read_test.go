package ingest

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What 'klaxon sender add' prints is what is read, by an API server and by us.
func TestKubeconfigIsRead(t *testing.T) {
	r := newReceiverTest(t)
	ca, err := os.ReadFile(r.caFile)
	r.must(err)
	dir := t.TempDir()
	r.must(writeFile(filepath.Join(dir, "token"), "# the newest\n"+tokenA+"\n"))
	f := func(name string, access WebhookAccess, change func(string) string) {
		t.Helper()
		access.URL, access.Cluster, access.CA = r.url, "prod", ca
		text, err := access.Kubeconfig()
		r.must(err)
		path := filepath.Join(dir, "webhook.yaml")
		r.must(writeFile(path, change(text)))
		k, err := ReadKubeconfig(path)
		r.must(err)
		client, err := k.Client()
		r.must(err)
		t.Cleanup(client.CloseIdleConnections)
		token, err := k.Token()
		r.must(err)
		if err := (&Poster{URL: k.URL(), Token: token, Client: client}).Post(t.Context(), []byte(list(event(name)))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	as := func(text string) string { return text }
	f("token", WebhookAccess{Token: tokenA}, as)
	f("token file", WebhookAccess{TokenFile: filepath.Join(dir, "token")}, as)
	f("token file beside it", WebhookAccess{TokenFile: "token"}, as)
	f("CA file", WebhookAccess{Token: tokenA}, func(text string) string {
		return strings.Replace(text, "certificate-authority-data: "+base64.StdEncoding.EncodeToString(ca), "certificate-authority: "+r.caFile, 1)
	})
}

func TestKubeconfigWithCertificate(t *testing.T) {
	dir := t.TempDir()
	cert := clientCert(t, dir, "apiserver", x509.ExtKeyUsageClientAuth)
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})
	r := newReceiverTest(t, func(s *receiverSetup) {
		s.config.TLS.ClientCAFile = filepath.Join(dir, "ca.crt")
		s.config.Senders = []SenderConfig{{Cluster: "edge", Name: "edge", ClientName: "apiserver"}}
	})
	r.must(writeFile(filepath.Join(dir, "c.crt"), string(certPEM)))
	r.must(writeFile(filepath.Join(dir, "c.key"), string(keyPEM)))
	ca, err := os.ReadFile(r.caFile)
	r.must(err)
	text, err := WebhookAccess{URL: r.url, Cluster: "edge", CA: ca, Token: tokenA}.Kubeconfig()
	r.must(err)
	encode := base64.StdEncoding.EncodeToString
	f := func(name, user string) {
		t.Helper()
		path := filepath.Join(dir, "webhook.yaml")
		r.must(writeFile(path, strings.Replace(text, "token: "+tokenA, user, 1)))
		k, err := ReadKubeconfig(path)
		r.must(err)
		client, err := k.Client()
		r.must(err)
		t.Cleanup(client.CloseIdleConnections)
		if err := (&Poster{URL: k.URL(), Client: client}).Post(t.Context(), []byte(list(event(name)))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	f("files", "client-certificate: c.crt\n    client-key: c.key")
	f("data", "client-certificate-data: "+encode(certPEM)+"\n    client-key-data: "+encode(keyPEM))
}

func TestKubeconfigIsRefused(t *testing.T) {
	text, err := WebhookAccess{URL: "https://h:1", Cluster: "prod", CA: []byte("no certificate"), Token: tokenA}.Kubeconfig()
	if err != nil {
		t.Fatal(err)
	}
	f := func(old, new, want string) {
		t.Helper()
		changed := strings.Replace(text, old, new, 1)
		if changed == text {
			t.Fatalf("there is no %q in %s", old, text)
		}
		path := filepath.Join(t.TempDir(), "webhook.yaml")
		if err := writeFile(path, changed); err != nil {
			t.Fatal(err)
		}
		k, err := ReadKubeconfig(path)
		if err == nil {
			_, err = k.Client()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", new, err, want)
		}
		if err != nil && strings.Contains(err.Error(), tokenA) {
			t.Errorf("%s: the error tells the token", new)
		}
	}
	f("kind: Config", "kind: Pod", "is none: want what 'klaxon sender add")
	f("token: ", "token: [", "is none: want what 'klaxon sender add")
	f("current-context: klaxon", "current-context: other", "no context")
	f("https://h:1", "http://h:1", "its server is not https")
	f("https://h:1", "https://jo:secret@h:1", "its server is not https")
	f("token: ", "username: ", "neither token, tokenFile nor client-certificate")
	f("token: ", "client-certificate: ", "come together")
	f("server: ", "insecure-skip-tls-verify: true\n    server: ", "must prove who it is")
	f("current-context", "preferences: {}\ncurrent-context", "holds no certificate")
}
