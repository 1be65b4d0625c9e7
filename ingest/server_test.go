package ingest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/stream"
)

// clientCert returns a client certificate that the CA in dir signs.
func clientCert(t *testing.T, dir, name string, usage x509.ExtKeyUsage) tls.Certificate {
	t.Helper()
	ca, err := ensureCA(filepath.Join(dir, "ca.crt"), filepath.Join(dir, "ca.key"), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{usage},
	}, ca.cert, &key.PublicKey, ca.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// withCert is r's client with a certificate.
func (r *receiverTest) withCert(cert tls.Certificate) *http.Client {
	r.t.Helper()
	client, err := NewReplayClient(r.caFile)
	r.must(err)
	client.Transport.(*http.Transport).TLSClientConfig.Certificates = []tls.Certificate{cert}
	r.t.Cleanup(client.CloseIdleConnections)
	return client
}

func TestClientCertificates(t *testing.T) {
	ours, others := t.TempDir(), t.TempDir()
	// The certificate is made first: it makes the CA that the server trusts.
	good := clientCert(t, ours, "apiserver", x509.ExtKeyUsageClientAuth)
	r := newReceiverTest(t, func(s *receiverSetup) {
		s.config.TLS.ClientCAFile = filepath.Join(ours, "ca.crt")
		s.config.Senders = []SenderConfig{{Cluster: "edge", Name: "edge", ClientName: "apiserver"}}
	})
	f := func(name string, cert tls.Certificate, cluster string, code int) {
		t.Helper()
		got := r.postTo(r.withCert(cert), "/webhook/"+cluster, "", strings.NewReader(list(event(name))))
		if got.code != code {
			t.Errorf("%s: got %d %s, want %d", name, got.code, got.text, code)
		}
	}
	f("ours", good, "edge", 200)
	f("ours to another cluster", good, "prod", 403)
	f("of another name", clientCert(t, ours, "kubelet", x509.ExtKeyUsageClientAuth), "edge", 401)
	if got := r.log.events(t, topic.KindEvent); len(got) != 1 || got[0].Cluster != "edge" || got[0].Sender != "edge" {
		t.Errorf("events: %+v", got)
	}
	refused := func(name string, cert tls.Certificate) {
		t.Helper()
		req, err := http.NewRequest(http.MethodPost, r.url+"/webhook/edge", strings.NewReader(list(event(name))))
		r.must(err)
		// A client sends no certificate of a CA that the server does not name,
		// unless it is told to.
		client := r.withCert(cert)
		config := client.Transport.(*http.Transport).TLSClientConfig
		config.Certificates = nil
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }
		if res, err := client.Do(req); err == nil {
			res.Body.Close()
			t.Errorf("%s: the handshake succeeded: %s", name, res.Status)
		}
	}
	refused("another CA", clientCert(t, others, "apiserver", x509.ExtKeyUsageClientAuth))
	refused("a server's certificate", clientCert(t, ours, "apiserver", x509.ExtKeyUsageServerAuth))
}

func TestServerRefusesOldTLSAndPlainText(t *testing.T) {
	r := newReceiverTest(t)
	address := strings.TrimPrefix(r.url, "https://")
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	if err == nil {
		conn.Close()
		t.Error("TLS 1.1 is accepted")
	}
	res, err := http.Get("http://" + address + "/webhook/prod")
	if err == nil {
		res.Body.Close()
		if res.StatusCode != http.StatusBadRequest {
			t.Errorf("plain text is answered %s", res.Status)
		}
	}
}

func TestSilentConnectionIsClosed(t *testing.T) {
	r := newReceiverTest(t, func(s *receiverSetup) {
		s.config.Limits.HeaderTimeout = 100 * time.Millisecond
		s.config.Limits.Connections = 1
	})
	conn, err := net.Dial("tcp", strings.TrimPrefix(r.url, "https://"))
	r.must(err)
	defer conn.Close()
	closed := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, conn) // a reset is an end too
		close(closed)
	}()
	within(t, "the connection that says nothing", closed)
	r.post(list(event("x")), http.StatusOK) // the only slot is free again
}

func TestHugeHeaderIsRefused(t *testing.T) {
	r := newReceiverTest(t, func(s *receiverSetup) { s.config.Limits.HeaderBytes = 4096 })
	req, err := http.NewRequest(http.MethodPost, r.url+"/webhook/prod", strings.NewReader(list(event("x"))))
	r.must(err)
	req.Header.Set("Authorization", "Bearer "+tokenA)
	req.Header.Set("X-Large", strings.Repeat("x", 1<<20))
	if res, err := r.http1().Do(req); err == nil {
		res.Body.Close()
		if res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("got %s", res.Status)
		}
	}
	if got := r.log.events(t, topic.KindEvent); len(got) != 0 {
		t.Errorf("%d events", len(got))
	}
}

func TestShutdownWaitsForRequests(t *testing.T) {
	r := newReceiverTest(t)
	appending, goOn := make(chan struct{}), make(chan struct{})
	r.log.refuse(func(context.Context, string, []stream.Record) error {
		close(appending)
		<-goOn
		return nil
	})
	done := make(chan int, 1)
	go func() {
		got := r.postTo(r.client, "/webhook/prod", tokenA, strings.NewReader(list(event("x"))))
		done <- got.code
	}()
	within(t, "the append", appending)
	stopped := make(chan error, 1)
	go func() { stopped <- r.server.Shutdown(context.Background()) }()
	select {
	case err := <-stopped:
		t.Fatalf("stopped with a request in progress: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(goOn)
	if code := within(t, "the answer", done); code != http.StatusOK {
		t.Errorf("answered %d", code)
	}
	r.client.CloseIdleConnections()
	r.must(within(t, "the shutdown", stopped))
}
