package ingest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
)

// Bounds of one HTTP/2 connection. An API server sends its requests in
// parallel over one.
const (
	streamsPerConnection = 128
	streamWindow         = 1 << 20  // bytes of a body that come unasked
	connectionWindow     = 32 << 20 // so that requests that wait do not stop the others
)

// Server is the receiver's TLS server.
type Server struct {
	http     *http.Server
	listener net.Listener
}

// Listen opens the receiver's port with the certificate of files and sends
// what comes to the receiver once Serve is called.
func Listen(c Config, files *TLSFiles, receiver *Receiver, logger *slog.Logger) (*Server, error) {
	plain, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("ingest.listen: %w", err)
	}
	bounded := limitListener(plain, c.Limits.Connections, receiver.refuseConnection)
	return &Server{
		http:     newHTTPServer(c.Limits, receiver, logger),
		listener: tls.NewListener(bounded, files.Config()),
	}, nil
}

func newHTTPServer(l Limits, handler http.Handler, logger *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: l.HeaderTimeout,
		ReadTimeout:       l.RequestTimeout,
		WriteTimeout:      l.RequestTimeout + l.HeaderTimeout,
		IdleTimeout:       l.IdleTimeout,
		MaxHeaderBytes:    l.HeaderBytes,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          streamsPerConnection,
			MaxReceiveBufferPerStream:     streamWindow,
			MaxReceiveBufferPerConnection: connectionWindow,
			SendPingTimeout:               l.IdleTimeout / 2,
			PingTimeout:                   l.HeaderTimeout,
		},
		// Whoever reaches the port can make these: they are no news.
		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
}

// Addr returns the address that the server listens on.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Serve answers requests until Shutdown. It returns nil after one.
func (s *Server) Serve() error {
	if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the webhook: %w", err)
	}
	return nil
}

// Shutdown takes no more requests and waits for those in progress, at most
// until ctx ends; what is then unanswered comes again from its sender.
func (s *Server) Shutdown(ctx context.Context) error {
	if err := s.http.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("stop the webhook: %w", err), s.http.Close())
	}
	return nil
}
