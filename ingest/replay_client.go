package ingest

import (
	"crypto/tls"
	"net/http"
)

// NewReplayClient returns a client for Replay: HTTP/2 over TLS, as API servers
// speak it. It trusts the certificates in caFile, or the system's if that is "".
// It follows no redirect, which could carry the token away.
func NewReplayClient(caFile string) (*http.Client, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile != "" {
		pool, err := loadPool(caFile)
		if err != nil {
			return nil, err
		}
		config.RootCAs = pool
	}
	return newClient(config), nil
}

func newClient(config *tls.Config) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			TLSClientConfig:   config,
			ForceAttemptHTTP2: true,
			Proxy:             http.ProxyFromEnvironment,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
