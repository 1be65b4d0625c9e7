package engine_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/klaxon-dev/klaxon/store/engine/enginetest"
)

// patience bounds every wait for something that should come at once.
const patience = 30 * time.Second

func background(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// open connects to an engine and makes the database klaxon.
func open(t *testing.T, options *clickhouse.Options) driver.Conn {
	t.Helper()
	conn, err := clickhouse.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	exec(t, conn, "CREATE DATABASE IF NOT EXISTS klaxon ENGINE = Atomic")
	return conn
}

func start(t *testing.T) driver.Conn {
	t.Helper()
	return open(t, enginetest.Start(t))
}

func exec(t *testing.T, conn driver.Conn, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if err := conn.Exec(background(t), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// count returns the only number that a query gives.
func count(t *testing.T, conn driver.Conn, query string, args ...any) uint64 {
	t.Helper()
	var n uint64
	if err := conn.QueryRow(background(t), query, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// wantCode checks that err is the engine's exception of this code.
func wantCode(t *testing.T, what string, err error, code int32) {
	t.Helper()
	var exception *clickhouse.Exception
	if !errors.As(err, &exception) {
		t.Fatalf("%s: error %v, want an exception of code %d", what, err, code)
	}
	if exception.Code != code {
		t.Fatalf("%s: exception %d (%v), want %d", what, exception.Code, err, code)
	}
}

// until waits for done to hold.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, patience)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// client speaks plain HTTP to an engine.
type client struct {
	options *clickhouse.Options
	http    *http.Client
}

func newClient(options *clickhouse.Options) *client {
	dial := func(ctx context.Context, _, address string) (net.Conn, error) {
		return options.DialContext(ctx, address)
	}
	return &client{options, &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}
}

// answer is what came back.
type answer struct {
	status int
	code   string // of the exception
	body   string
}

func (c *client) request(t *testing.T, query url.Values, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(background(t), http.MethodPost, "http://localhost/?"+query.Encode(), body)
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth(c.options.Auth.Username, c.options.Auth.Password)
	return r
}

func (c *client) do(t *testing.T, r *http.Request) answer {
	t.Helper()
	response, err := c.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header.Get("X-ClickHouse-Exception-Code"), string(body)}
}

// post sends a statement.
func (c *client) post(t *testing.T, statement string) answer {
	t.Helper()
	return c.do(t, c.request(t, nil, strings.NewReader(statement)))
}

func (a answer) want(t *testing.T, what string, status int, code string) {
	t.Helper()
	if a.status != status || a.code != code {
		t.Errorf("%s: status %d, exception %q, want %d and %q: %.300s", what, a.status, a.code, status, code, a.body)
	}
}
