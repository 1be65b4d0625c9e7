package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/klaxon-dev/klaxon/internal/query"
)

func TestCategories(t *testing.T) {
	f := func(err error, status int, want string) {
		t.Helper()
		b := newBench(t, testConfig(), &fakeStore{err: fmt.Errorf("search: %w", err)})
		for _, path := range []string{"/api/v1/events", "/api/v1/findings"} {
			b.problem(adminToken, path, status, want)
		}
	}
	f(&query.FilterError{Filter: "source_ip", Value: "\x1b[2J", Want: "an address"}, http.StatusBadRequest, `want an address`)
	f(fmt.Errorf("%w: \"x\"", query.ErrBadCursor), http.StatusBadRequest, "the cursor does not come from")
	f(query.ErrTooExpensive, http.StatusUnprocessableEntity, "narrow its time")
	f(context.DeadlineExceeded, http.StatusGatewayTimeout, "narrow its time")
	f(errors.New("dial tcp: user:password@host"), http.StatusInternalServerError, "the server's log says why")
}

func TestInternalErrorsAreTheServersOwn(t *testing.T) {
	b := newBench(t, testConfig(), &fakeStore{err: errors.New("table klaxon.audit_events is broken")})
	if _, body := b.get(adminToken, "/api/v1/events"); strings.Contains(body, "broken") {
		t.Errorf("the asker is told the server's own: %s", body)
	}
	if !strings.Contains(b.log.String(), "is broken") {
		t.Errorf("the log lacks the reason: %s", b.log)
	}
}

func TestProblemsAreHarmless(t *testing.T) {
	b := newBench(t, testConfig(), &fakeStore{})
	for _, path := range []string{
		"/api/v1/events?limit=%1b%5b2J", "/api/v1/events?%e2%80%ae=1", "/api/v1/events?since=%ff", "/api/v1/events/%1b%5b2J",
		"/%1b%5b2J", "/api/v1/events?cluster=" + strings.Repeat("x", 5000) + "&limit=0",
	} {
		_, body := b.get(viewerToken, path)
		if strings.ContainsAny(body, "\x1b\u202e") || strings.Contains(body, `\u001b`) || len(body) > 1024 {
			t.Errorf("%.80s: %.400q", path, body)
		}
	}
}
