package engine_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/klaxon-dev/klaxon/store/engine/enginetest"
)

// ping asks for a sign of life and returns the answer.
func (c *client) ping(t *testing.T) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(background(t), http.MethodGet, "http://localhost/ping", nil)
	if err != nil {
		t.Fatal(err)
	}
	return c.do(t, r)
}

// It is the engine that answers a ping, not only what stands before it.
func TestPingAsksTheEngine(t *testing.T) {
	options := enginetest.Start(t)
	conn, c := open(t, options), newClient(options)
	queries := func() uint64 { return count(t, conn, "SELECT sum(value) FROM system.events WHERE event = 'Query'") }
	before := queries()
	alone := queries() - before
	before = queries()
	for range 5 {
		if a := c.ping(t); a.status != http.StatusOK || a.body != "Ok.\n" {
			t.Errorf("a ping is answered %d: %s", a.status, a.body)
		}
	}
	if n := queries() - before; n != 5+alone {
		t.Errorf("five pings and the question make %d queries, want %d", n, 5+alone)
	}
}

// A ping is answered while every place for a statement is taken.
func TestPingAnswersBesideStatements(t *testing.T) {
	options := enginetest.Start(t)
	c := newClient(options)
	ctx, cancel := context.WithCancel(t.Context())
	var ended []chan error
	defer func() {
		cancel()
		for _, e := range ended {
			if <-e == nil {
				t.Error("an endless statement ended well")
			}
		}
	}()
	post := func(ctx context.Context, statement string) error {
		r := c.request(t, nil, strings.NewReader(statement)).WithContext(ctx)
		response, err := c.http.Do(r)
		if err == nil {
			_, err = io.Copy(io.Discard, response.Body)
			response.Body.Close()
		}
		return err
	}
	for range options.MaxOpenConns {
		end := make(chan error, 1)
		ended = append(ended, end)
		go func() { end <- post(ctx, endless) }()
	}
	until(t, "no statement finds a place", func() bool {
		short, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
		defer cancel()
		return post(short, "SELECT 1") != nil
	})
	if a := c.ping(t); a.status != http.StatusOK {
		t.Errorf("a ping is answered %d: %s", a.status, a.body)
	}
}
