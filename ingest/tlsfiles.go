package ingest

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/klaxon-dev/klaxon/internal/secretfile"
)

// TLSFiles serves the certificate of a TLSConfig and reads its files again when
// they change: a new handshake sees a renewed certificate or CA without a
// restart. Files that are wrong leave things as they were. It is safe for
// concurrent use.
type TLSFiles struct {
	files  TLSConfig
	now    func() time.Time
	logger *slog.Logger

	mu      sync.Mutex
	checked time.Time
	state   [3]fileState
	current *tls.Config // never changed, only replaced
}

// LoadTLS reads the files.
func LoadTLS(files TLSConfig, now func() time.Time, logger *slog.Logger) (*TLSFiles, error) {
	t := &TLSFiles{files: files, now: now, logger: logger, checked: now()}
	t.state = t.states()
	var err error
	t.current, err = files.load()
	return t, err
}

// Config returns the configuration of a server: TLS 1.2 or newer, HTTP/2
// offered, client certificates verified where there are any.
func (t *TLSFiles) Config() *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		NextProtos:         alpn(),
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return t.latest(), nil },
	}
}

func (t *TLSFiles) latest() *tls.Config {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	if now.Sub(t.checked) < recheckEvery && !now.Before(t.checked) {
		return t.current
	}
	t.checked = now
	state := t.states()
	if state == t.state {
		return t.current
	}
	t.state = state
	next, err := t.files.load()
	if err != nil {
		t.logger.Error("the webhook's TLS files changed and cannot be used: the old ones stay", "err", err)
		return t.current
	}
	t.current = next
	return next
}

func (t *TLSFiles) states() [3]fileState {
	return [3]fileState{stateOf(t.files.CertFile), stateOf(t.files.KeyFile), stateOf(t.files.ClientCAFile)}
}

// load reads the files into a configuration for one handshake.
func (c TLSConfig) load() (*tls.Config, error) {
	certificate, err := loadKeyPair(c.CertFile, c.KeyFile)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{
		MinVersion:   tls.VersionTLS12,
		NextProtos:   alpn(),
		Certificates: []tls.Certificate{certificate},
	}
	if c.ClientCAFile == "" {
		return config, nil
	}
	// Those with a token have no certificate, so it is not required.
	config.ClientAuth = tls.VerifyClientCertIfGiven
	config.ClientCAs, err = loadPool(c.ClientCAFile)
	return config, err
}

func loadKeyPair(certFile, keyFile string) (tls.Certificate, error) {
	cert, err := os.ReadFile(certFile)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("TLS certificate: %w", err)
	}
	key, err := secretfile.ReadBytes(keyFile)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("TLS key: %w", err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("TLS certificate %s with key %s: %w", certFile, keyFile, err)
	}
	return pair, nil
}

func loadPool(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("CA certificates: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, errors.New("CA certificates: " + file + " holds none")
	}
	return pool, nil
}

func alpn() []string { return []string{"h2", "http/1.1"} }
