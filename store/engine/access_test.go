package engine_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/klaxon-dev/klaxon/store/engine/enginetest"
)

func TestWrongPassword(t *testing.T) {
	options := enginetest.Start(t)
	for _, auth := range []clickhouse.Auth{
		{}, {Username: "default"}, {Username: "default", Password: "wrong"},
		{Username: "other", Password: options.Auth.Password}, {Username: "default", Password: options.Auth.Password + "x"},
	} {
		o := *options
		o.Auth = auth
		conn, err := clickhouse.Open(&o)
		if err != nil {
			t.Fatal(err)
		}
		err = conn.Ping(background(t))
		wantCode(t, fmt.Sprint(auth.Username), err, 516)
		if !strings.Contains(err.Error(), "403") || strings.Contains(err.Error(), options.Auth.Password) {
			t.Errorf("error %v, want status 403 and no password", err)
		}
	}
}

func TestPing(t *testing.T) {
	c := newClient(enginetest.Start(t))
	response, err := c.http.Get("http://localhost/ping")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); err != nil || string(body) != "Ok.\n" {
		t.Errorf("%q, %v", body, err)
	}
}

func TestHostileRequests(t *testing.T) {
	options := enginetest.Start(t)
	conn, c := open(t, options), newClient(options)
	t.Run("body without password", func(t *testing.T) {
		r := c.request(t, nil, endlessBody{})
		r.Header.Del("Authorization")
		response, err := c.http.Do(r)
		if err != nil {
			return // cut off while it still sent
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusForbidden {
			t.Errorf("status %s", response.Status)
		}
	})
	t.Run("endless statement", func(t *testing.T) {
		response, err := c.http.Do(c.request(t, nil, endlessBody{}))
		if err != nil {
			return // cut off while it still sent
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("status %s", response.Status)
		}
	})
	t.Run("huge URL", func(t *testing.T) {
		c.do(t, c.request(t, url.Values{"query": {strings.Repeat("x", 2<<20)}}, nil)).want(t, "", http.StatusRequestHeaderFieldsTooLarge, "")
	})
	t.Run("parameters", func(t *testing.T) {
		for name, query := range map[string]url.Values{
			"setting's name":  {"a = 1, b": {"1"}},
			"param's name":    {"param_x'": {"1"}},
			"NUL":             {"max_threads": {"1\x00"}},
			"session":         {"session_id": {"1"}},
			"method":          {"compress": {"1"}, "network_compression_method": {"RAR"}},
			"database's name": {"database": {"x`; DROP DATABASE klaxon; --"}},
			"statement":       {"query": {" "}},
		} {
			a := c.do(t, c.request(t, query, strings.NewReader("")))
			if a.status < 400 || a.code == "" {
				t.Errorf("%s: status %d, %s", name, a.status, a.body)
			}
		}
	})
	t.Run("encodings", func(t *testing.T) {
		for _, encoding := range []string{"br", "gzip"} {
			r := c.request(t, nil, strings.NewReader("SELECT 1"))
			r.Header.Set("Content-Encoding", encoding)
			if a := c.do(t, r); a.status != http.StatusBadRequest {
				t.Errorf("%s: status %d", encoding, a.status)
			}
		}
		r := c.request(t, nil, strings.NewReader("--x--"))
		r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
		c.do(t, r).want(t, "multipart", http.StatusBadRequest, "36")
	})
	t.Run("bytes that are no HTTP", func(t *testing.T) {
		for _, text := range []string{"\x00\xff\n\n", "GET / HTTP/9.9\r\n\r\n", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"} {
			raw, err := options.DialContext(background(t), "")
			if err != nil {
				t.Fatal(err)
			}
			if got := answerTo(t, raw, text); !strings.HasPrefix(got, "HTTP/1.1 4") && !strings.HasPrefix(got, "HTTP/1.1 5") {
				t.Errorf("%q: %q", text, got)
			}
		}
	})
	if n := count(t, conn, "SELECT count() FROM system.databases WHERE name = 'klaxon'"); n != 1 {
		t.Error("the database is gone")
	}
}

func answerTo(t *testing.T, conn net.Conn, text string) string {
	t.Helper()
	defer conn.Close()
	if _, err := conn.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return line
}

// endlessBody is a body that never ends.
type endlessBody struct{}

func (endlessBody) Read(p []byte) (int, error) {
	return copy(p, bytes.Repeat([]byte(" "), len(p))), nil
}
