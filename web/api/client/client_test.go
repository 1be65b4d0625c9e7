package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/internal/query"
	"github.com/klaxon-dev/klaxon/rules"
	"github.com/klaxon-dev/klaxon/web/api"
)

const token = "client-test-token-0123456789abcdef"

var testTime = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// pagedStore has pages of one event and one finding each.
type pagedStore struct {
	events   []query.Event
	findings []detect.Finding
	letter   query.SealedLetter
	asked    []query.Events
	err      error
}

func (s *pagedStore) SearchEvents(_ context.Context, q query.Events) (query.EventPage, error) {
	s.asked = append(s.asked, q)
	if s.err != nil {
		return query.EventPage{}, s.err
	}
	at := len(q.Cursor) // the cursor's length is the place
	page := query.EventPage{Events: s.events[at : at+1]}
	if at+1 < len(s.events) {
		page.Next = q.Cursor + "x"
	}
	return page, nil
}

func (s *pagedStore) SearchFindings(context.Context, query.Findings) (query.FindingPage, error) {
	return query.FindingPage{Findings: s.findings, Next: "more"}, s.err
}

func (s *pagedStore) Finding(_ context.Context, id detect.FindingID, _ []audit.ClusterID) (detect.Finding, error) {
	if id != s.findings[0].ID {
		return detect.Finding{}, query.ErrNotFound
	}
	return s.findings[0], nil
}

func (s *pagedStore) SearchBlindness(_ context.Context, q query.Blindness) (query.BlindPage, error) {
	return query.BlindPage{Blind: []query.Blind{{Schema: query.BlindSchema, Cluster: "prod", Rule: rules.RuleID(q.Rules[0])}}, Total: 7}, s.err
}

func (s *pagedStore) SearchDeadLetters(context.Context, query.DeadLetters) (query.DeadLetterPage, error) {
	return query.DeadLetterPage{Letters: []query.DeadLetter{s.letter.DeadLetter}, Next: "more"}, s.err
}

func (s *pagedStore) DeadLetter(_ context.Context, id query.DeadLetterID, _ []audit.ClusterID) (query.SealedLetter, error) {
	if id != s.letter.ID {
		return query.SealedLetter{}, query.ErrNotFound
	}
	return s.letter, nil
}

func unseal(d query.SealedLetter) ([]byte, error) {
	if d.KeyID != "mine" {
		return nil, fmt.Errorf("%w: it takes the key %s", query.ErrSealed, d.KeyID)
	}
	return d.Sealed, nil
}

func newStore(t *testing.T) *pagedStore {
	t.Helper()
	s := &pagedStore{findings: []detect.Finding{{
		Schema: detect.FindingSchema, ID: detect.FindingID{1}, Rule: "r", Title: "\x1b[2J", Cluster: "prod", Key: detect.Key{{Name: "b", Value: "1"}, {Name: "a", Value: "2"}},
		FirstSeen: testTime, LastSeen: testTime, Tags: []string{"t"}, Events: []detect.EventRef{},
	}}}
	s.letter = query.SealedLetter{
		DeadLetter: query.DeadLetter{
			Schema: query.DeadLetterSchema, ID: query.DeadLetterID{1}, Received: testTime, Reason: "syntax", Cluster: "prod", Sender: "\x1b",
			Length: 4, Kept: 3, Offset: 2, Fault: 1, KeyID: "mine",
		},
		Sealed: []byte("\x00\xff\n"),
	}
	for _, item := range []string{
		`{"kind":"Event","level":"Request","auditID":"1","stage":"ResponseComplete","requestURI":"/a","verb":"create","user":{"username":"\u001bjo"},` +
			`"requestObject":{"n":123456789012345678901},"requestReceivedTimestamp":"2026-07-01T12:00:00.000000Z","stageTimestamp":"2026-07-01T12:00:00.000000Z"}`,
		`{"kind":"Event","level":"Metadata","auditID":"2","stage":"Panic","requestURI":"/b","verb":"get","user":{"username":"x"},` +
			`"requestReceivedTimestamp":"2026-07-01T12:00:00.000000Z","stageTimestamp":"2026-07-01T12:00:00.000000Z"}`,
	} {
		e := query.Event{Cluster: "prod", Received: testTime}
		if err := audit.Scan([]byte(item), &e.Event); err != nil {
			t.Fatal(err)
		}
		e.ID, e.Request = e.Event.ID("prod"), e.Event.RequestID("prod")
		s.events = append(s.events, e)
	}
	return s
}

// serveAPI serves the API over TLS, and returns how to reach it.
func serveAPI(t *testing.T, store *pagedStore) Config {
	t.Helper()
	sum := sha256.Sum256([]byte(token))
	c := api.Config{Principals: []api.Principal{{Name: "jo", Role: api.RoleAdmin, Clusters: []string{"prod"}, TokenSHA256: hex.EncodeToString(sum[:])}}}
	c.SetDefaults()
	handler, err := api.New(c, api.Options{
		Events: store, Findings: store, Blindness: store, DeadLetters: store, Unseal: unseal, Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(), Clock: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return serveTLS(t, handler)
}

func serveTLS(t *testing.T, handler http.Handler) Config {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	dir := t.TempDir()
	files := Config{Server: server.URL, TokenFile: filepath.Join(dir, "token"), CAFile: filepath.Join(dir, "ca.crt")}
	write(t, files.TokenFile, "# mine\n"+token+"\nthe-one-before\n")
	write(t, files.CAFile, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	return files
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func newClient(t *testing.T, c Config) *Client {
	t.Helper()
	client, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.http.CloseIdleConnections)
	return client
}

func TestEvents(t *testing.T) {
	store := newStore(t)
	c := newClient(t, serveAPI(t, store))
	q := query.Events{Since: testTime, Users: []string{"a&b", ""}, Limit: 1, Allowed: []audit.ClusterID{"other"}}
	var got []query.Event
	for {
		page, err := c.SearchEvents(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, page.Events...)
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	opts := cmp.Options{cmpopts.IgnoreUnexported(audit.Event{}), cmpopts.EquateEmpty()}
	if diff := cmp.Diff(store.events, got, opts); diff != "" {
		t.Error(diff)
	}
	for _, e := range got {
		if e.Event.ID(e.Cluster) != e.ID {
			t.Errorf("event %s came as another", e.ID)
		}
	}
	want := query.Events{Since: testTime, Users: []string{"a&b", ""}, Limit: 1, Allowed: []audit.ClusterID{"prod"}}
	if diff := cmp.Diff(want, store.asked[0]); diff != "" {
		t.Error(diff)
	}
	one, err := c.Event(t.Context(), store.events[0].ID)
	if diff := cmp.Diff(store.events[0], one, opts); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

func TestFindings(t *testing.T) {
	store := newStore(t)
	c := newClient(t, serveAPI(t, store))
	page, err := c.SearchFindings(t.Context(), query.Findings{MinSeverity: "low"})
	if diff := cmp.Diff(query.FindingPage{Findings: store.findings, Next: "more"}, page); diff != "" || err != nil {
		t.Error(err, diff)
	}
	one, err := c.Finding(t.Context(), detect.FindingID{1})
	if diff := cmp.Diff(store.findings[0], one); diff != "" || err != nil {
		t.Error(err, diff)
	}
	who, err := c.Whoami(t.Context())
	if diff := cmp.Diff(api.Whoami{Name: "jo", Role: api.RoleAdmin, Clusters: []string{"prod"}}, who); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

func TestBlindness(t *testing.T) {
	c := newClient(t, serveAPI(t, newStore(t)))
	page, err := c.SearchBlindness(t.Context(), query.Blindness{Rules: []string{"r"}})
	if diff := cmp.Diff(query.BlindPage{Blind: []query.Blind{{Schema: query.BlindSchema, Cluster: "prod", Rule: "r"}}, Total: 7}, page); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

func TestDeadLetters(t *testing.T) {
	store := newStore(t)
	c := newClient(t, serveAPI(t, store))
	page, err := c.SearchDeadLetters(t.Context(), query.DeadLetters{Reasons: []string{"syntax"}})
	if diff := cmp.Diff(query.DeadLetterPage{Letters: []query.DeadLetter{store.letter.DeadLetter}, Next: "more"}, page); diff != "" || err != nil {
		t.Error(err, diff)
	}
	one, err := c.OpenDeadLetter(t.Context(), store.letter.ID)
	if diff := cmp.Diff(query.OpenLetter{DeadLetter: store.letter.DeadLetter, Text: store.letter.Sealed}, one); diff != "" || err != nil {
		t.Error(err, diff)
	}
	_, err = c.OpenDeadLetter(t.Context(), query.DeadLetterID{2})
	checkRefused(t, err, http.StatusNotFound, "there is no dead letter 02")
	store.letter.KeyID = "lost"
	_, err = c.OpenDeadLetter(t.Context(), store.letter.ID)
	checkRefused(t, err, http.StatusConflict, "cannot be opened: it takes the key lost")
}

// checkRefused fails unless err is the server's with the status and says want.
func checkRefused(t *testing.T, err error, status int, want string) {
	t.Helper()
	var refused *Error
	if !errors.As(err, &refused) || refused.Status != status || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %d with %q", err, status, want)
	}
}

func TestRefusals(t *testing.T) {
	store := newStore(t)
	config := serveAPI(t, store)
	c := newClient(t, config)
	_, err := c.Finding(t.Context(), detect.FindingID{9})
	checkRefused(t, err, http.StatusNotFound, "there is no such finding")
	_, err = c.SearchEvents(t.Context(), query.Events{Clusters: []string{"other"}})
	checkRefused(t, err, http.StatusForbidden, `jo may not see cluster "other"`)
	store.err = &query.FilterError{Filter: "code", Value: "\x1b", Want: "a status"}
	_, err = c.SearchEvents(t.Context(), query.Events{})
	checkRefused(t, err, http.StatusBadRequest, `want a status`)
	write(t, config.TokenFile, strings.Repeat("x", 40))
	_, err = newClient(t, config).Whoami(t.Context())
	checkRefused(t, err, http.StatusUnauthorized, "is the token file of this server")
}

func TestAnswersOfOthers(t *testing.T) {
	f := func(answer http.HandlerFunc, want string) {
		t.Helper()
		_, err := newClient(t, serveTLS(t, answer)).Whoami(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) || strings.ContainsAny(err.Error(), "\x1b\u202e") {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	f(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadGateway)
		_, _ = w.Write([]byte("<html>"))
	}, "the server answered 502 Bad Gateway")
	f(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = w.Write([]byte(`{"detail":"\u001b[2J"}`))
	}, `\x1b[2J`)
	f(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }, "read the answer of 127.0.0.1")
	f(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://other.invalid/", http.StatusFound)
	}, "answers with a redirect")
}

func TestNobodyAnswers(t *testing.T) {
	config := serveAPI(t, newStore(t))
	f := func(c Config, want string) {
		t.Helper()
		_, err := newClient(t, c).SearchEvents(t.Context(), query.Events{Users: []string{"secret-filter"}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		if err != nil && (strings.Contains(err.Error(), token) || strings.Contains(err.Error(), "secret-filter")) {
			t.Errorf("the error tells too much: %v", err)
		}
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := config
	gone.Server = "https://" + free.Addr().String()
	free.Close()
	f(gone, "is klaxon serve running there?")

	stranger := config
	stranger.CAFile = ""
	f(stranger, "--ca-file names the certificates")

	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	cleartext := config
	cleartext.Server = strings.Replace(plain.URL, "http:", "https:", 1)
	f(cleartext, "does not speak TLS")
}

func TestNewRefuses(t *testing.T) {
	good := serveAPI(t, newStore(t))
	f := func(change func(*Config), want string) {
		t.Helper()
		c := good
		change(&c)
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), token) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	f(func(c *Config) { c.Server = strings.Replace(c.Server, "https", "http", 1) }, "never sent in the clear")
	f(func(c *Config) { c.Server = "127.0.0.1:9444" }, "want a URL")
	f(func(c *Config) { c.Server = "" }, "want a URL")
	f(func(c *Config) { c.Server = (&url.URL{Scheme: "https", Host: "h", User: url.User("u")}).String() }, "want a URL")
	f(func(c *Config) { c.TokenFile += "x" }, "token: secret file")
	f(func(c *Config) { c.CAFile += "x" }, "CA certificates")
	f(func(c *Config) { c.CAFile = c.TokenFile }, "holds none")
	write(t, good.TokenFile, "# nothing\n")
	f(func(*Config) {}, "holds no token")
}
