package api

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// writeCertificate writes a certificate for 127.0.0.1 that signs itself.
func writeCertificate(t *testing.T, files TLSConfig, name string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{
		files.CertFile: {Type: "CERTIFICATE", Bytes: cert},
		files.KeyFile:  {Type: "PRIVATE KEY", Bytes: der},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func testFiles(t *testing.T) TLSConfig {
	dir := t.TempDir()
	return TLSConfig{CertFile: filepath.Join(dir, "tls.crt"), KeyFile: filepath.Join(dir, "tls.key")}
}

// startServer serves until the test ends; its clock counts from now.
func startServer(t *testing.T, c Config, now func() time.Time) *Server {
	t.Helper()
	c.Listen = "127.0.0.1:0"
	s, err := NewServer(c, Options{
		Events: &fakeStore{}, Findings: &fakeStore{}, Registerer: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler), Clock: now,
	})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve() }()
	t.Cleanup(func() {
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s
}

// whoami asks over a new connection and returns the protocol and the name in
// the server's certificate.
func whoami(t *testing.T, s *Server) (proto, name string) {
	t.Helper()
	transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} // its name is looked at
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+s.Addr().String()+"/api/v1/whoami", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	answer, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if body, err := io.ReadAll(answer.Body); err != nil || !strings.Contains(string(body), "root") {
		t.Fatal(answer.Status, string(body), err)
	}
	return answer.Proto, answer.TLS.PeerCertificates[0].Subject.CommonName
}

func TestServerServesTheCertificateOfItsFiles(t *testing.T) {
	var now atomic.Int64
	c := testConfig()
	c.TLS = testFiles(t)
	writeCertificate(t, c.TLS, "first")
	s := startServer(t, c, func() time.Time { return testTime.Add(time.Duration(now.Load())) })
	f := func(want string) {
		t.Helper()
		if proto, name := whoami(t, s); name != want || proto != "HTTP/2.0" {
			t.Errorf("got %s over %s, want %s over HTTP/2.0", name, proto, want)
		}
	}
	f("first")
	writeCertificate(t, c.TLS, "second")
	now.Add(int64(recheckEvery))
	f("second")
	if err := os.WriteFile(c.TLS.CertFile, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	now.Add(int64(recheckEvery))
	f("second")
}

func TestServerBoundsConnections(t *testing.T) {
	c := testConfig()
	c.Limits.Connections = 1
	c.TLS = testFiles(t)
	writeCertificate(t, c.TLS, "one")
	s := startServer(t, c, time.Now)
	dial := func() (*tls.Conn, error) {
		return tls.Dial("tcp", s.Addr().String(), &tls.Config{InsecureSkipVerify: true})
	}
	first, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	if second, err := dial(); err == nil {
		second.Close()
		t.Error("a second connection was served")
	}
	first.Close()
	deadline := time.Now().Add(10 * time.Second)
	for {
		again, err := dial()
		if err == nil {
			again.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the place of a closed connection stays taken: %v", err)
		}
	}
}

func TestServerNeedsACertificate(t *testing.T) {
	if _, err := NewServer(testConfig(), Options{}); err == nil || !strings.Contains(err.Error(), "not served without a certificate") {
		t.Errorf("got %v", err)
	}
	c := testConfig()
	c.TLS = testFiles(t)
	if _, err := NewServer(c, Options{Registerer: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler), Clock: time.Now}); err == nil || !strings.Contains(err.Error(), "api.tls.cert_file") {
		t.Errorf("got %v", err)
	}
}

func TestShutdownWithoutServeFreesThePort(t *testing.T) {
	c := testConfig()
	c.Listen = "127.0.0.1:0"
	c.TLS = testFiles(t)
	writeCertificate(t, c.TLS, "one")
	s, err := NewServer(c, Options{Registerer: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler), Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	again, err := net.Listen("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
}
