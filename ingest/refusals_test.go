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
	r := newRefusals(c.now, slog.New(slog.NewTextHandler(&out, nil)), func(cluster string) bool { return cluster < "c" })
	lines := func() int { return strings.Count(out.String(), "\n") }
	refuse := func(address, cluster string) {
		req := httptest.NewRequest(http.MethodPost, "/webhook/x", nil)
		req.RemoteAddr = address
		req.SetPathValue("cluster", cluster)
		r.request(req, Sender{}, answerTo(errNoCredential), errNoCredential)
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
	// Strangers may make up clusters: one line for all that have no sender.
	for _, cluster := range []string{"x", "y", "z"} {
		refuse("10.0.0.1:1", cluster)
	}
	if lines() != 4 || !strings.Contains(out.String(), "cluster=x") {
		t.Fatalf("%d lines, want 4:\n%s", lines(), out.String())
	}
	c.advance(time.Minute)
	refuse("10.0.0.1:3", "a")
	if lines() != 5 {
		t.Fatalf("%d lines after a minute, want 5", lines())
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

func TestNetwork(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "::ffff:192.0.2.1", "2001:db8::1": "2001:db8::/64",
		"2001:db8:0:0:1::2": "2001:db8::/64", "2001:db8:0:1::1": "2001:db8:0:1::/64", "fe80::1%eth0": "fe80::/64", "pipe": "pipe",
	} {
		if got := network(address); got != want {
			t.Errorf("%s counts as %s, want %s", address, got, want)
		}
	}
}
