package ingest

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestRefusalsAreLoggedOnceAMinute(t *testing.T) {
	c := newClock()
	var out bytes.Buffer
	r := newRefusals(c.now, slog.New(slog.NewTextHandler(&out, nil)))
	lines := func() int { return strings.Count(out.String(), "\n") }
	refuse := func(address, cluster string) {
		req := httptest.NewRequest(http.MethodPost, "/webhook/x", nil)
		req.RemoteAddr = address
		req.SetPathValue("cluster", cluster)
		r.log(req, Sender{}, answerTo(errNoCredential), errNoCredential)
	}
	refuse("10.0.0.1:1", "a")
	refuse("10.0.0.1:2", "a") // another port is no other sender
	if lines() != 1 {
		t.Fatalf("%d lines, want 1:\n%s", lines(), out.String())
	}
	refuse("10.0.0.2:1", "a")
	refuse("10.0.0.1:1", "b")
	if lines() != 3 {
		t.Fatalf("%d lines, want 3:\n%s", lines(), out.String())
	}
	c.advance(time.Minute)
	refuse("10.0.0.1:3", "a")
	if lines() != 4 {
		t.Fatalf("%d lines after a minute, want 4", lines())
	}
	for _, want := range []string{"address=10.0.0.1", "cluster=a", "reason=credential", "code=401"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the log lacks %s:\n%s", want, out.String())
		}
	}
}

func TestRefusalsRepeatNoHostileName(t *testing.T) {
	req := httptest.NewRequest(http.MethodPost, "/webhook/x", nil)
	for _, name := range []string{"\x1b[2J", "A", "", strings.Repeat("a", 64), "../etc"} {
		req.SetPathValue("cluster", name)
		if got := pathCluster(req); got != "(not a name)" {
			t.Errorf("%q is logged as %q", name, got)
		}
	}
}
