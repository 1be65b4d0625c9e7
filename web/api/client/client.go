// Package client asks the HTTP API of a klaxon serve.
package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/internal/query"
	"github.com/klaxon-dev/klaxon/internal/secretfile"
	"github.com/klaxon-dev/klaxon/web/api"
)

const (
	// timeout bounds one request with its answer.
	timeout = 4 * time.Minute
	// maxAnswer bounds an answer. A page holds about 32 MiB of bodies and one
	// event more, which JSON may spell six times as long.
	maxAnswer = 512 << 20
	// maxProblem bounds the body of an error.
	maxProblem = 64 << 10
)

// Config says where the API is and who asks.
type Config struct {
	Server    string // URL, as https://127.0.0.1:9444
	TokenFile string // holds the bearer token in its first line
	CAFile    string // PEM of the certificates that sign the server's; "": the system's
}

// Client asks one API. It is safe for concurrent use.
type Client struct {
	base  *url.URL
	token string
	http  *http.Client
}

// New makes a client. It reads the files of c and does not connect.
func New(c Config) (*Client, error) {
	base, err := url.Parse(c.Server)
	if err != nil || base.Scheme != "https" || base.Host == "" || base.User != nil || base.RawQuery != "" {
		return nil, fmt.Errorf("server %q: want a URL as https://klaxon.example:9444 (a token is never sent in the clear)", c.Server)
	}
	token, err := readToken(c.TokenFile)
	if err != nil {
		return nil, err
	}
	roots, err := readRoots(c.CAFile)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		TLSHandshakeTimeout:   10 * time.Second,
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   2,
		IdleConnTimeout:       time.Minute,
		ResponseHeaderTimeout: 2 * time.Minute,
	}
	refuse := func(*http.Request, []*http.Request) error {
		return errors.New("the server answers with a redirect: set its own URL")
	}
	return &Client{base: base, token: token, http: &http.Client{Transport: transport, Timeout: timeout, CheckRedirect: refuse}}, nil
}

// readToken returns the first token of a file, which may hold several while one
// replaces another.
func readToken(path string) (string, error) {
	text, err := secretfile.Read(path)
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			return line, nil
		}
	}
	return "", fmt.Errorf("token file %s holds no token", path)
}

func readRoots(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("CA certificates: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("CA certificates: %s holds none", path)
	}
	return roots, nil
}

// SearchEvents returns one page of the events that q selects. Allowed is not
// sent: the server knows it.
func (c *Client) SearchEvents(ctx context.Context, q query.Events) (query.EventPage, error) {
	var page api.EventPage
	err := c.get(ctx, "/events", api.FormatEvents(q), &page)
	return query.EventPage{Events: page.Items, Next: page.Next}, err
}

// Event returns one event.
func (c *Client) Event(ctx context.Context, id audit.EventID) (query.Event, error) {
	var e query.Event
	return e, c.get(ctx, "/events/"+id.String(), nil, &e)
}

// SearchFindings returns one page of the findings that q selects.
func (c *Client) SearchFindings(ctx context.Context, q query.Findings) (query.FindingPage, error) {
	var page api.FindingPage
	err := c.get(ctx, "/findings", api.FormatFindings(q), &page)
	return query.FindingPage{Findings: page.Items, Next: page.Next}, err
}

// Finding returns one finding.
func (c *Client) Finding(ctx context.Context, id detect.FindingID) (detect.Finding, error) {
	var f detect.Finding
	return f, c.get(ctx, "/findings/"+id.String(), nil, &f)
}

// SearchBlindness returns what rules could not see that q selects.
func (c *Client) SearchBlindness(ctx context.Context, q query.Blindness) (query.BlindPage, error) {
	var page api.BlindPage
	err := c.get(ctx, "/blindness", api.FormatBlindness(q), &page)
	return query.BlindPage{Blind: page.Items, Total: page.Total}, err
}

// SearchDeadLetters returns one page of the dead letters that q selects.
func (c *Client) SearchDeadLetters(ctx context.Context, q query.DeadLetters) (query.DeadLetterPage, error) {
	var page api.DeadLetterPage
	err := c.get(ctx, "/deadletters", api.FormatDeadLetters(q), &page)
	return query.DeadLetterPage{Letters: page.Items, Next: page.Next}, err
}

// OpenDeadLetter returns one dead letter with what it holds.
func (c *Client) OpenDeadLetter(ctx context.Context, id query.DeadLetterID) (query.OpenLetter, error) {
	var d query.OpenLetter
	return d, c.get(ctx, "/deadletters/"+id.String(), nil, &d)
}

// Whoami returns whom the client's token stands for.
func (c *Client) Whoami(ctx context.Context) (api.Whoami, error) {
	var who api.Whoami
	return who, c.get(ctx, "/whoami", nil, &who)
}

// get asks for a path under the API and reads the answer into v. What the server
// refuses is an *Error.
func (c *Client) get(ctx context.Context, path string, values url.Values, v any) error {
	at := c.base.JoinPath(api.Base, path)
	at.RawQuery = values.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return fmt.Errorf("ask %s: %w", c.base.Host, err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Accept", "application/json")
	answer, err := c.http.Do(req)
	if err != nil {
		return unreachable(c.base, err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return readProblem(answer)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err != nil {
		return fmt.Errorf("read the answer of %s: %w", c.base.Host, err)
	}
	if len(body) > maxAnswer {
		return fmt.Errorf("the answer of %s is larger than %d bytes: ask for less with a lower limit", c.base.Host, maxAnswer)
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("read the answer of %s: %w", c.base.Host, err)
	}
	return nil
}
