package ingest

import (
	"bytes"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// verify checks that the server's certificate stands for host at now.
func verify(t *testing.T, files DevTLS, host string, now time.Time) error {
	t.Helper()
	ca, err := readCert(files.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	server, err := readCert(files.CertFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	_, err = server.Verify(x509.VerifyOptions{Roots: roots, DNSName: host, CurrentTime: now})
	return err
}

func readAll(t *testing.T, files DevTLS) [3]string {
	t.Helper()
	var all [3]string
	for i, name := range []string{files.CAFile, files.CertFile, files.KeyFile} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all[i] = string(text)
	}
	return all
}

func TestDevTLS(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tls")
	now := newClock().now()
	ensure := func(now time.Time, hosts ...string) [3]string {
		t.Helper()
		files, err := EnsureDevTLS(dir, hosts, now)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range append(hosts, "localhost", "127.0.0.1", "::1") {
			if err := verify(t, files, h, now); err != nil {
				t.Errorf("%s: %v", h, err)
			}
		}
		return readAll(t, files)
	}
	first := ensure(now)
	if again := ensure(now.Add(time.Hour)); again != first {
		t.Error("good files were made anew")
	}
	wider := ensure(now, "klaxon.example.com", "192.0.2.1")
	if wider[0] != first[0] || wider[1] == first[1] || wider[2] != first[2] {
		t.Error("another host must change the server's certificate alone")
	}
	renewed := ensure(now.Add(serverLife - renewBefore))
	if renewed[0] != first[0] || renewed[1] == wider[1] {
		t.Error("a certificate near its end must be made anew, its CA not")
	}
	late := now.Add(caLife)
	if latest := ensure(late); latest[0] == first[0] {
		t.Error("a CA near its end stays")
	}
}

func TestDevTLSKeysArePrivate(t *testing.T) {
	dir := t.TempDir()
	files, err := EnsureDevTLS(dir, nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{files.KeyFile, filepath.Join(dir, "ca.key")} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v", name, info.Mode())
		}
	}
	if err := os.Chmod(files.KeyFile, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := EnsureDevTLS(dir, []string{"x"}, time.Now()); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a key that others may read: got %v", err)
	}
}

func TestDevTLSRefusesForeignCA(t *testing.T) {
	dir := t.TempDir()
	if _, err := EnsureDevTLS(dir, nil, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "ca.key")); err != nil {
		t.Fatal(err)
	}
	if _, err := EnsureDevTLS(dir, nil, time.Now()); err == nil || !strings.Contains(err.Error(), "do not belong together") {
		t.Errorf("got %v", err)
	}
}

func TestTLSFilesAreReadAgain(t *testing.T) {
	dir := t.TempDir()
	c := newClock()
	made, err := EnsureDevTLS(dir, nil, c.now())
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	files, err := LoadTLS(TLSConfig{CertFile: made.CertFile, KeyFile: made.KeyFile}, c.now, testLogger(&log))
	if err != nil {
		t.Fatal(err)
	}
	leaf := func() string { return string(files.latest().Certificates[0].Certificate[0]) }
	first := leaf()
	if _, err := EnsureDevTLS(dir, []string{"new.example.com"}, c.now()); err != nil {
		t.Fatal(err)
	}
	c.advance(recheckEvery)
	second := leaf()
	if second == first {
		t.Error("the new certificate is not served")
	}
	if err := os.WriteFile(made.CertFile, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.advance(recheckEvery)
	if leaf() != second {
		t.Error("a broken file took the certificate away")
	}
	if !strings.Contains(log.String(), "the old ones stay") {
		t.Errorf("the log does not say so:\n%s", log.String())
	}
}

func TestLoadTLSRefuses(t *testing.T) {
	dir := t.TempDir()
	made, err := EnsureDevTLS(dir, nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	f := func(name string, c TLSConfig, want string) {
		t.Helper()
		_, err := LoadTLS(c, time.Now, testLogger(&bytes.Buffer{}))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want it to say %q", name, err, want)
		}
	}
	f("no certificate", TLSConfig{CertFile: "none", KeyFile: made.KeyFile}, "TLS certificate")
	f("no key", TLSConfig{CertFile: made.CertFile, KeyFile: "none"}, "TLS key")
	f("another's key", TLSConfig{CertFile: made.CertFile, KeyFile: filepath.Join(dir, "ca.key")}, "does not match")
	f("a CA file without any", TLSConfig{CertFile: made.CertFile, KeyFile: made.KeyFile, ClientCAFile: made.KeyFile}, "holds none")
}
