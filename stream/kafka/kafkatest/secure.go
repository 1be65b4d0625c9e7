package kafkatest

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"testing"
)

// Secure is a cluster of one broker that also asks who its clients are.
type Secure struct {
	*Cluster
	// SASL are the addresses where it speaks TLS and takes Username and the
	// password of PasswordFile, by PLAIN and SCRAM-SHA-512.
	SASL                   []string
	Username, PasswordFile string
	// Mutual are the addresses where it speaks TLS and takes the certificate of
	// CertFile and KeyFile; it belongs to User:CN=klaxon.
	Mutual            []string
	CertFile, KeyFile string
	// CAFile holds what signed the broker's certificate.
	CAFile string
}

// StartSecure starts a broker that ends with the test. Settings are further
// lines of its server.properties.
func StartSecure(t testing.TB, settings ...string) *Secure {
	t.Helper()
	dir := t.TempDir()
	s := &Secure{
		CAFile:       filepath.Join(dir, "ca.pem"),
		CertFile:     filepath.Join(dir, "client.pem"),
		KeyFile:      filepath.Join(dir, "client-key.pem"),
		Username:     "klaxon",
		PasswordFile: filepath.Join(dir, "password"),
	}
	if err := writeCertificates(dir); err != nil {
		t.Fatal(err)
	}
	password := rand.Text()
	if err := os.WriteFile(s.PasswordFile, []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Cluster = startFor(t, 1, settings, "KAFKA_TLS="+dir, "KAFKA_PASSWORD="+password)
	var err error
	if s.SASL, err = addresses(s.dir, "bootstrap.sasl"); err != nil {
		t.Fatal(err)
	}
	if s.Mutual, err = addresses(s.dir, "bootstrap.tls"); err != nil {
		t.Fatal(err)
	}
	return s
}
