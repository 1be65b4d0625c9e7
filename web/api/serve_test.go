package api

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
)

func TestQueryIsBounded(t *testing.T) {
	c := testConfig()
	c.Limits.QueryBytes = 100
	b := newBench(t, c, &fakeStore{})
	b.problem(adminToken, "/api/v1/events?user="+strings.Repeat("x", 96), http.StatusRequestURITooLong, "longer than 100 bytes")
	if answer, body := b.get(adminToken, "/api/v1/events?user="+strings.Repeat("x", 95)); answer.StatusCode != http.StatusOK {
		t.Error(answer.StatusCode, body)
	}
}

func TestWhatDoesNotDecodeIsRefused(t *testing.T) {
	b := newBench(t, testConfig(), &fakeStore{})
	for _, q := range []string{"user=%zz", "user=a;b", "%=1"} {
		b.problem(adminToken, "/api/v1/events?"+q, http.StatusBadRequest, "the query string")
	}
}

func TestRequestsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		c := testConfig()
		c.Limits.Requests = 2
		store := &fakeStore{wait: func(context.Context) error { <-release; return nil }}
		b := newBench(t, c, store)
		b.api.options.Access = LogAccess(b.api.options.Logger) // the test's own is of one goroutine
		done := make(chan int, 2)
		for range 2 {
			go func() {
				answer, _ := b.get(adminToken, "/api/v1/events")
				done <- answer.StatusCode
			}()
		}
		synctest.Wait() // both are with the store
		started := time.Now()
		answer, body := b.get(adminToken, "/api/v1/events")
		checkProblem(t, answer, body, http.StatusTooManyRequests, "try again")
		if answer.Header.Get("Retry-After") == "" || time.Since(started) != c.Limits.RequestWait {
			t.Errorf("refused after %v with %v", time.Since(started), answer.Header)
		}
		b.problem("", "/api/v1/events", http.StatusUnauthorized, "") // at once: nobody takes a slot without a token
		close(release)
		for range 2 {
			if code := <-done; code != http.StatusOK {
				t.Errorf("got %d", code)
			}
		}
		if answer, _ := b.get(adminToken, "/api/v1/events"); answer.StatusCode != http.StatusOK {
			t.Errorf("the slots were not given back: %d", answer.StatusCode)
		}
	})
}

func TestSearchesEndInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &fakeStore{wait: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}
		c := testConfig()
		b := newBench(t, c, store)
		started := time.Now()
		b.problem(adminToken, "/api/v1/events", http.StatusGatewayTimeout, "narrow its time")
		if took := time.Since(started); took != c.Limits.RequestTimeout {
			t.Errorf("took %v, want %v", took, c.Limits.RequestTimeout)
		}
		if len(b.access) != 1 || b.access[0].Status != http.StatusGatewayTimeout {
			t.Errorf("recorded %+v", b.access)
		}
	})
}

func TestPanicsEndOneRequest(t *testing.T) {
	b := newBench(t, testConfig(), &fakeStore{wait: func(context.Context) error { panic("out of luck") }})
	b.problem(adminToken, "/api/v1/events", http.StatusInternalServerError, "the server's log says why")
	if !strings.Contains(b.log.String(), "out of luck") {
		t.Errorf("the log lacks the reason: %s", b.log)
	}
	b.store.wait = nil
	if answer, _ := b.get(adminToken, "/api/v1/events"); answer.StatusCode != http.StatusOK {
		t.Errorf("after a panic: %d", answer.StatusCode)
	}
}

func TestOnlyWhatThereIs(t *testing.T) {
	b := newBench(t, testConfig(), &fakeStore{})
	req := httptest.NewRequest(http.MethodPost, "/api/v1/events", strings.NewReader("{}"))
	req.Header.Set("Authorization", "Bearer "+adminToken)
	answer, body := b.do(req)
	checkProblem(t, answer, body, http.StatusNotFound, "there is no POST /api/v1/events")
	b.problem(adminToken, "/docs", http.StatusNotFound, "openapi.json")
	b.problem(adminToken, "/openapi.json", http.StatusNotFound, "openapi.json")
}

func TestMetrics(t *testing.T) {
	b := newBench(t, testConfig(), &fakeStore{})
	b.get(adminToken, "/api/v1/events")
	b.get(adminToken, "/api/v1/events?limit=0")
	b.get("", "/api/v1/events")
	b.get(analystToken, "/api/v1/events?cluster=red")
	want := []string{
		"klaxon_api_refused_total forbidden 1",
		"klaxon_api_refused_total token 1",
		"klaxon_api_requests_total 200 search-events 1",
		"klaxon_api_requests_total 400 search-events 1",
		"klaxon_api_requests_total 401 none 1",
		"klaxon_api_requests_total 403 search-events 1",
	}
	families, err := b.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, counters(families)); diff != "" {
		t.Error(diff)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
}

// counters lists counters as name, values of labels and value.
func counters(families []*dto.MetricFamily) (lines []string) {
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if m.Counter == nil {
				continue
			}
			line := f.GetName()
			for _, label := range m.GetLabel() {
				line += " " + label.GetValue()
			}
			lines = append(lines, fmt.Sprint(line, " ", m.GetCounter().GetValue()))
		}
	}
	return lines
}
