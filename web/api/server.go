package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync/atomic"

	"github.com/klaxon-dev/klaxon/internal/secretfile"
)

// streamsPerConnection bounds the requests of one HTTP/2 connection.
const streamsPerConnection = 32

// Server serves the API over TLS.
type Server struct {
	http     *http.Server
	listener net.Listener
}

// NewServer makes the API of a configuration and opens its port; Serve answers.
func NewServer(c Config, o Options) (*Server, error) {
	if c.TLS.CertFile == "" {
		return nil, errors.New("api.tls: the API is not served without a certificate: set cert_file and key_file")
	}
	handler, err := New(c, o)
	if err != nil {
		return nil, err
	}
	config, err := tlsConfig(c.TLS, o)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("api.listen: %w", err)
	}
	return &Server{http: newHTTPServer(c.Limits, handler, o.Logger), listener: tls.NewListener(listener, config)}, nil
}

func newHTTPServer(l Limits, handler http.Handler, logger *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: l.HeaderTimeout,
		ReadTimeout:       l.HeaderTimeout, // there are no bodies to read
		WriteTimeout:      l.WriteTimeout,
		IdleTimeout:       l.IdleTimeout,
		MaxHeaderBytes:    l.HeaderBytes,
		ConnState:         boundConnections(l.Connections),
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: streamsPerConnection},
		// Whoever reaches the port can make these: they are no news.
		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
}

// boundConnections closes each new connection while as many are open as may be.
func boundConnections(most int) func(net.Conn, http.ConnState) {
	var open atomic.Int64
	return func(c net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			if open.Add(1) > int64(most) {
				_ = c.Close() // its StateClosed follows
			}
		case http.StateClosed, http.StateHijacked:
			open.Add(-1)
		}
	}
}

// tlsConfig serves the certificate that the files hold now. Files that are wrong
// leave the certificate as it was.
func tlsConfig(files TLSConfig, o Options) (*tls.Config, error) {
	certificate := newReread(o.Clock, files.load, files.CertFile, files.KeyFile)
	first, _, err := certificate.get()
	if err != nil {
		return nil, err
	}
	var last atomic.Pointer[tls.Certificate]
	last.Store(first)
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			current, changed, err := certificate.get()
			if err == nil {
				last.Store(current)
			} else if changed {
				o.Logger.Error("the API's TLS files changed and cannot be used: the old certificate stays", "err", err)
			}
			return last.Load(), nil
		},
	}, nil
}

func (c TLSConfig) load() (*tls.Certificate, error) {
	cert, err := os.ReadFile(c.CertFile)
	if err != nil {
		return nil, fmt.Errorf("api.tls.cert_file: %w", err)
	}
	key, err := secretfile.ReadBytes(c.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("api.tls.key_file: %w", err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("api.tls: certificate %s with key %s: %w", c.CertFile, c.KeyFile, err)
	}
	return &pair, nil
}

// Addr returns the address that the server listens on.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Serve answers requests until Shutdown. It returns nil after one.
func (s *Server) Serve() error {
	if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the API: %w", err)
	}
	return nil
}

// Shutdown takes no more requests and waits for those in progress, at most
// until ctx ends. Where Serve was never called it closes the port.
func (s *Server) Shutdown(ctx context.Context) error {
	if err := s.http.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("stop the API: %w", err), s.http.Close())
	}
	if err := s.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("stop the API: %w", err)
	}
	return nil
}
