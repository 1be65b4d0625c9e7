package attack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/streaming/pkg/httpstream"
)

// streamTime bounds a stream: attaching to a pod that says nothing would last for ever.
const streamTime = 2 * time.Second

// stream is an act: a connection that is upgraded, to WebSocket (a GET) or to SPDY (a POST).
type stream struct {
	by    actor
	pod   string // namespace/name
	kind  string // exec, attach or portforward
	query url.Values
	spdy  bool
	codes []int // answers foreseen; none given: any
}

// exec runs a command in a pod, given as namespace/name, over WebSocket.
func (a actor) exec(pod string, command ...string) stream {
	query := url.Values{"command": command, "stdout": {"true"}, "stderr": {"true"}}
	return a.stream("exec", pod, query)
}

// attach joins the main process of a pod.
func (a actor) attach(pod string) stream {
	return a.stream("attach", pod, url.Values{"stdout": {"true"}, "stderr": {"true"}})
}

// forward opens a tunnel to a pod's ports.
func (a actor) forward(pod string) stream {
	return a.stream("portforward", pod, url.Values{})
}

func (a actor) stream(kind, pod string, query url.Values) stream {
	return stream{by: a, kind: kind, pod: pod, query: query, codes: []int{http.StatusSwitchingProtocols}}
}

// overSPDY takes the older protocol.
func (s stream) overSPDY() stream {
	s.spdy = true
	return s
}

// in chooses a container.
func (s stream) in(container string) stream {
	s.query.Set("container", container)
	return s
}

// interactive asks for a terminal.
func (s stream) interactive() stream {
	s.query.Set("stdin", "true")
	s.query.Set("tty", "true")
	s.query.Del("stderr")
	return s
}

// answers says which status codes are foreseen; without any, all are.
func (s stream) answers(codes ...int) stream {
	s.codes = codes
	return s
}

func (s stream) do(ctx context.Context) outcome {
	id := string(uuid.NewUUID())
	o := outcome{actor: s.by.name, ids: []string{id}, primary: true}
	config := rest.CopyConfig(s.by.config)
	config.UserAgent = s.by.agent
	upgrade := &stamp{id: id}
	config.WrapTransport = upgrade.wrap
	target, err := s.url()
	if err != nil {
		o.err = err
		return o
	}
	within, cancel := context.WithTimeout(ctx, streamTime)
	defer cancel()
	if s.kind == "portforward" {
		err = s.tunnel(config, target)
	} else {
		err = s.run(within, config, target)
	}
	o.err = s.judge(ctx, upgrade.answer(err), err)
	return o
}

func (s stream) url() (*url.URL, error) {
	namespace, name, _ := strings.Cut(s.pod, "/")
	target, err := url.Parse(s.by.config.Host)
	if err != nil {
		return nil, fmt.Errorf("address of the API server: %w", err)
	}
	target = target.JoinPath("api/v1/namespaces", namespace, "pods", name, s.kind)
	target.RawQuery = s.query.Encode()
	return target, nil
}

// run holds the other end of a command's streams.
func (s stream) run(ctx context.Context, config *rest.Config, target *url.URL) error {
	executor, err := s.executor(config, target)
	if err != nil {
		return err
	}
	options := remotecommand.StreamOptions{Stdout: io.Discard, Tty: s.query.Has("tty")}
	if s.query.Has("stdin") {
		options.Stdin = strings.NewReader("")
	}
	if s.query.Has("stderr") {
		options.Stderr = io.Discard
	}
	return executor.StreamWithContext(ctx, options)
}

func (s stream) executor(config *rest.Config, target *url.URL) (remotecommand.Executor, error) {
	if s.spdy {
		return remotecommand.NewSPDYExecutor(config, http.MethodPost, target)
	}
	return remotecommand.NewWebSocketExecutor(config, http.MethodGet, target.String())
}

// tunnel opens a connection for ports and closes it.
func (s stream) tunnel(config *rest.Config, target *url.URL) error {
	dialer, err := s.dialer(config, target)
	if err != nil {
		return err
	}
	connection, _, err := dialer.Dial(portforward.PortForwardProtocolV1Name)
	if err != nil {
		return err
	}
	return connection.Close()
}

func (s stream) dialer(config *rest.Config, target *url.URL) (httpstream.Dialer, error) {
	if !s.spdy {
		return portforward.NewSPDYOverWebsocketDialerForStreaming(target, config)
	}
	transport, upgrader, err := spdy.RoundTripperFor(config)
	if err != nil {
		return nil, err
	}
	return spdy.NewDialerForStreaming(upgrader, &http.Client{Transport: transport}, http.MethodPost, target), nil
}

// judge compares the answer with what was foreseen; that a stream did not end by itself is no error.
func (s stream) judge(ctx context.Context, code int, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if code == http.StatusSwitchingProtocols && errors.Is(err, context.DeadlineExceeded) {
		err = nil
	}
	foreseen := len(s.codes) == 0 || slices.Contains(s.codes, code)
	if code != 0 && foreseen && (err == nil || code != http.StatusSwitchingProtocols) {
		return nil
	}
	return fmt.Errorf("%s %s as %q: answered %d, foreseen %v: %w", s.kind, s.pod, s.by.name, code, s.codes, err)
}
