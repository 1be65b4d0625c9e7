package ingest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/klaxon-dev/klaxon/internal/secretfile"
)

// Life of the development certificates.
const (
	caLife      = 10 * 365 * 24 * time.Hour
	serverLife  = 365 * 24 * time.Hour
	renewBefore = 30 * 24 * time.Hour
	clockSkew   = time.Hour // a certificate is valid from so much before it was made
)

// DevTLS names the files that EnsureDevTLS keeps.
type DevTLS struct {
	CAFile, CertFile, KeyFile string
}

// DevTLSFiles names the files that EnsureDevTLS keeps in dir.
func DevTLSFiles(dir string) DevTLS {
	return DevTLS{
		CAFile:   filepath.Join(dir, "ca.crt"),
		CertFile: filepath.Join(dir, "server.crt"),
		KeyFile:  filepath.Join(dir, "server.key"),
	}
}

// EnsureDevTLS keeps a CA and a server certificate for localhost, 127.0.0.1, ::1
// and hosts in dir: it makes what is missing and renews what has less than 30
// days left, was signed by another CA or lacks a host. Keys are ECDSA P-256 in
// files that only their owner can read. Two processes that start at once end
// with the same CA.
func EnsureDevTLS(dir string, hosts []string, now time.Time) (DevTLS, error) {
	files := DevTLSFiles(dir)
	ca, err := ensureCA(files.CAFile, filepath.Join(dir, "ca.key"), now)
	if err != nil {
		return files, fmt.Errorf("development TLS: %w", err)
	}
	hosts = append([]string{"localhost", "127.0.0.1", "::1"}, hosts...)
	if serverIsGood(files, ca, hosts, now) {
		return files, nil
	}
	if err := makeServer(files, ca, hosts, now); err != nil {
		return files, fmt.Errorf("development TLS: %w", err)
	}
	return files, nil
}

// authority is a CA's certificate and key.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// ensureCA returns the CA of the files. The key is made first and for good; a
// certificate that is near its end is made anew for the same key, so that
// certificates that it signed stay valid.
func ensureCA(certFile, keyFile string, now time.Time) (authority, error) {
	key, err := ensureKey(keyFile)
	if err != nil {
		return authority{}, err
	}
	cert, err := readCert(certFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return authority{}, err
	case !key.PublicKey.Equal(cert.PublicKey):
		return authority{}, fmt.Errorf("%s and %s do not belong together: remove both to start anew", certFile, keyFile)
	case valid(cert, now):
		return authority{cert, key}, nil
	}
	template := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{CommonName: "klaxon development CA"},
		NotBefore:             now.Add(-clockSkew),
		NotAfter:              now.Add(caLife),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	if err := sign(certFile, template, template, &key.PublicKey, key); err != nil {
		return authority{}, err
	}
	cert, err = readCert(certFile)
	return authority{cert, key}, err
}

// makeServer writes a new certificate for the server's key.
func makeServer(files DevTLS, ca authority, hosts []string, now time.Time) error {
	key, err := ensureKey(files.KeyFile)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{CommonName: "klaxon development server"},
		NotBefore:    now.Add(-clockSkew),
		NotAfter:     now.Add(serverLife),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	return sign(files.CertFile, template, ca.cert, &key.PublicKey, ca.key)
}

func serverIsGood(files DevTLS, ca authority, hosts []string, now time.Time) bool {
	pair, err := tls.LoadX509KeyPair(files.CertFile, files.KeyFile)
	if err != nil || !valid(pair.Leaf, now) || pair.Leaf.CheckSignatureFrom(ca.cert) != nil {
		return false
	}
	for _, h := range hosts {
		if pair.Leaf.VerifyHostname(h) != nil {
			return false
		}
	}
	return true
}

func valid(cert *x509.Certificate, now time.Time) bool {
	return !now.Before(cert.NotBefore) && now.Add(renewBefore).Before(cert.NotAfter)
}

// sign writes a certificate to file.
func sign(file string, template, parent *x509.Certificate, public *ecdsa.PublicKey, by *ecdsa.PrivateKey) error {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, by)
	if err != nil {
		return err
	}
	return secretfile.Replace(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func serial() *big.Int {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	b[0] &= 0x7f
	return new(big.Int).SetBytes(b[:])
}

// ensureKey returns the key in file, made new where there is none.
func ensureKey(file string) (*ecdsa.PrivateKey, error) {
	text, err := secretfile.ReadBytes(file)
	if errors.Is(err, fs.ErrNotExist) {
		if err := createKey(file); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		text, err = secretfile.ReadBytes(file)
	}
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s holds no key in PEM", file)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	ec, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s holds no ECDSA key", file)
	}
	return ec, nil
}

func createKey(file string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return secretfile.Create(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func readCert(file string) (*x509.Certificate, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s holds no certificate in PEM", file)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return cert, nil
}
