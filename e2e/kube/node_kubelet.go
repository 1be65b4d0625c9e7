package kube

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"k8s.io/cri-streaming/pkg/streaming/portforward"
	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
)

const (
	streamIdle   = time.Minute
	streamCreate = 30 * time.Second
	followFor    = 5 * time.Second // how long a followed log stays open
)

// kubeletTLS lets in clients of the cluster's CA only. There is no HTTP/2:
// streams are upgrades of HTTP/1.1.
func (c *Cluster) kubeletTLS(name string) (*tls.Config, error) {
	cert, err := pair(c.ca.server(name))
	if err != nil {
		return nil, err
	}
	clients := x509.NewCertPool()
	clients.AddCert(c.ca.cert)
	return &tls.Config{
		Certificates: []tls.Certificate{cert}, ClientCAs: clients, ClientAuth: tls.RequireAndVerifyClientCert,
		NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS12,
	}, nil
}

// newKubelet answers as a kubelet does, with words that are always the same.
func newKubelet(config *tls.Config, log *slog.Logger) *http.Server {
	mux := http.NewServeMux()
	for _, path := range []string{"/{namespace}/{pod}/{container}", "/{namespace}/{pod}/{uid}/{container}"} {
		mux.HandleFunc("/exec"+path, serveExec)
		mux.HandleFunc("/attach"+path, serveAttach)
	}
	mux.HandleFunc("/portForward/{namespace}/{pod}", servePortForward)
	mux.HandleFunc("/portForward/{namespace}/{pod}/{uid}", servePortForward)
	mux.HandleFunc("/containerLogs/{namespace}/{pod}/{container}", serveLogs)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "a pretended kubelet's %s\n", r.URL.Path) })
	return &http.Server{
		Handler: mux, TLSConfig: config, ReadHeaderTimeout: 10 * time.Second,
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
		ErrorLog:     slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

func podName(r *http.Request) string { return r.PathValue("namespace") + "/" + r.PathValue("pod") }

func serveExec(w http.ResponseWriter, r *http.Request) {
	options, err := remotecommand.NewOptions(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	remotecommand.ServeExec(w, r, pretended{}, podName(r), "", r.PathValue("container"), r.URL.Query()["command"],
		options, streamIdle, streamCreate, remotecommand.SupportedStreamingProtocols)
}

func serveAttach(w http.ResponseWriter, r *http.Request) {
	options, err := remotecommand.NewOptions(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	remotecommand.ServeAttach(w, r, pretended{}, podName(r), "", r.PathValue("container"),
		options, streamIdle, streamCreate, remotecommand.SupportedStreamingProtocols)
}

func servePortForward(w http.ResponseWriter, r *http.Request) {
	options, err := portforward.NewV4Options(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	portforward.ServePortForward(w, r, pretended{}, podName(r), "", options, streamIdle, streamCreate, portforward.SupportedProtocols)
}

func serveLogs(w http.ResponseWriter, r *http.Request) {
	for i := range 3 {
		fmt.Fprintf(w, "line %d of %s\n", i+1, podName(r))
	}
	if r.URL.Query().Get("follow") != "true" {
		return
	}
	_ = http.NewResponseController(w).Flush()
	select {
	case <-r.Context().Done():
	case <-time.After(followFor):
	}
}

// pretended is a runtime whose containers say one line and end.
type pretended struct{}

// ExecInContainer says what it was asked to run.
func (pretended) ExecInContainer(_ context.Context, pod, _, container string, command []string, _ io.Reader, out, _ io.WriteCloser,
	_ bool, _ <-chan remotecommand.TerminalSize, _ time.Duration) error {
	return say(out, "%s/%s was asked to run %q\n", pod, container, command)
}

// AttachContainer says that somebody came.
func (pretended) AttachContainer(_ context.Context, pod, _, container string, _ io.Reader, out, _ io.WriteCloser,
	_ bool, _ <-chan remotecommand.TerminalSize) error {
	return say(out, "attached to %s/%s\n", pod, container)
}

// PortForward answers as a small web server would.
func (pretended) PortForward(_ context.Context, _, _ string, _ int32, stream io.ReadWriteCloser) error {
	defer func() { _ = stream.Close() }()
	return say(stream, "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nok\n")
}

// say writes to a stream that the client may have left out.
func say(w io.Writer, format string, args ...any) error {
	if w == nil {
		return nil
	}
	_, err := fmt.Fprintf(w, format, args...)
	return err
}
