package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/internal/query"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Tokens of the principals that the tests have.
const (
	viewerToken  = "viewer-token-0123456789abcdef0123"
	analystToken = "analyst-token-0123456789abcdef012"
	adminToken   = "admin-token-0123456789abcdef01234"
)

func hashed(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// testConfig has a viewer of the clusters blue and green, an analyst of green
// and an admin of all.
func testConfig() Config {
	c := Config{Principals: []Principal{
		{Name: "vera", Role: RoleViewer, Clusters: []string{"blue", "green"}, TokenSHA256: hashed(viewerToken)},
		{Name: "anna", Role: RoleAnalyst, Clusters: []string{"green"}, TokenSHA256: hashed(analystToken)},
		{Name: "root", Role: RoleAdmin, Clusters: []string{"*"}, TokenSHA256: hashed(adminToken)},
	}}
	c.SetDefaults()
	return c
}

// fakeStore answers from what it is given and remembers what it was asked.
type fakeStore struct {
	events   []query.Event
	findings []detect.Finding
	letters  []query.SealedLetter
	blind    []query.Blind
	next     string
	err      error
	careless bool // shows what the asker may not see
	wait     func(context.Context) error

	mu            sync.Mutex
	askedEvents   []query.Events
	askedFindings []query.Findings
	askedLetters  []query.DeadLetters
	askedBlind    []query.Blindness
}

func (s *fakeStore) SearchEvents(ctx context.Context, q query.Events) (query.EventPage, error) {
	s.mu.Lock()
	s.askedEvents = append(s.askedEvents, q)
	s.mu.Unlock()
	if err := s.answer(ctx); err != nil {
		return query.EventPage{}, err
	}
	page := query.EventPage{Next: s.next}
	for _, e := range s.events {
		if s.shows(q.Allowed, e.Cluster) && (q.IDs == nil || slices.Contains(q.IDs, e.ID)) {
			page.Events = append(page.Events, e)
		}
	}
	return page, nil
}

func (s *fakeStore) SearchFindings(ctx context.Context, q query.Findings) (query.FindingPage, error) {
	s.mu.Lock()
	s.askedFindings = append(s.askedFindings, q)
	s.mu.Unlock()
	if err := s.answer(ctx); err != nil {
		return query.FindingPage{}, err
	}
	page := query.FindingPage{Next: s.next}
	for _, f := range s.findings {
		if s.shows(q.Allowed, f.Cluster) {
			page.Findings = append(page.Findings, f)
		}
	}
	return page, nil
}

func (s *fakeStore) Finding(ctx context.Context, id detect.FindingID, allowed []audit.ClusterID) (detect.Finding, error) {
	if err := s.answer(ctx); err != nil {
		return detect.Finding{}, err
	}
	for _, f := range s.findings {
		if f.ID == id && s.shows(allowed, f.Cluster) {
			return f, nil
		}
	}
	return detect.Finding{}, query.ErrNotFound
}

func (s *fakeStore) SearchDeadLetters(ctx context.Context, q query.DeadLetters) (query.DeadLetterPage, error) {
	s.mu.Lock()
	s.askedLetters = append(s.askedLetters, q)
	s.mu.Unlock()
	if err := s.answer(ctx); err != nil {
		return query.DeadLetterPage{}, err
	}
	page := query.DeadLetterPage{Next: s.next}
	for _, d := range s.letters {
		if s.shows(q.Allowed, d.Cluster) {
			page.Letters = append(page.Letters, d.DeadLetter)
		}
	}
	return page, nil
}

func (s *fakeStore) SearchBlindness(ctx context.Context, q query.Blindness) (query.BlindPage, error) {
	s.mu.Lock()
	s.askedBlind = append(s.askedBlind, q)
	s.mu.Unlock()
	if err := s.answer(ctx); err != nil {
		return query.BlindPage{}, err
	}
	var page query.BlindPage
	for _, b := range s.blind {
		if s.shows(q.Allowed, b.Cluster) {
			page.Blind = append(page.Blind, b)
			page.Total++
		}
	}
	return page, nil
}

func (s *fakeStore) DeadLetter(ctx context.Context, id query.DeadLetterID, allowed []audit.ClusterID) (query.SealedLetter, error) {
	if err := s.answer(ctx); err != nil {
		return query.SealedLetter{}, err
	}
	for _, d := range s.letters {
		if d.ID == id && s.shows(allowed, d.Cluster) {
			return d, nil
		}
	}
	return query.SealedLetter{}, query.ErrNotFound
}

// unseal opens the letters of testLetter.
func unseal(d query.SealedLetter) ([]byte, error) {
	if d.KeyID != "mine" {
		return nil, fmt.Errorf("%w: it takes the key %s", query.ErrSealed, d.KeyID)
	}
	return append([]byte("opened "), d.Sealed...), nil
}

func (s *fakeStore) shows(allowed []audit.ClusterID, cluster audit.ClusterID) bool {
	return s.careless || allowed == nil || slices.Contains(allowed, cluster)
}

func (s *fakeStore) answer(ctx context.Context) error {
	if s.wait != nil {
		if err := s.wait(ctx); err != nil {
			return err
		}
	}
	return s.err
}

// bench is an API under test with all that it says.
type bench struct {
	t        *testing.T
	api      *API
	store    *fakeStore
	log      *bytes.Buffer
	registry *prometheus.Registry
	now      time.Time
	access   []AccessRecord
}

var testTime = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

func newBench(t *testing.T, c Config, store *fakeStore) *bench {
	t.Helper()
	b := &bench{t: t, store: store, log: &bytes.Buffer{}, registry: prometheus.NewRegistry(), now: testTime}
	api, err := New(c, Options{
		Events: store, Findings: store, Blindness: store, DeadLetters: store, Unseal: unseal, Registerer: b.registry,
		Logger: slog.New(slog.NewTextHandler(b.log, nil)),
		Clock:  func() time.Time { return b.now },
		Access: func(_ context.Context, r AccessRecord) error { b.access = append(b.access, r); return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	b.api = api
	return b
}

// reply is an answer without its body.
type reply struct {
	StatusCode int
	Header     http.Header
}

// get asks and returns the answer and its body.
func (b *bench) get(token, path string) (reply, string) {
	b.t.Helper()
	req := httptest.NewRequest(http.MethodGet, path, nil)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return b.do(req)
}

func (b *bench) do(req *http.Request) (reply, string) {
	b.t.Helper()
	w := httptest.NewRecorder()
	b.api.ServeHTTP(w, req)
	return reply{w.Code, w.Header()}, w.Body.String()
}

// problem asks, and fails unless the answer is a problem document of the status
// whose sentence holds want.
func (b *bench) problem(token, path string, status int, want string) {
	b.t.Helper()
	answer, body := b.get(token, path)
	checkProblem(b.t, answer, body, status, want)
}

func checkProblem(t *testing.T, answer reply, body string, status int, want string) {
	t.Helper()
	var p Problem
	if err := json.Unmarshal([]byte(body), &p); err != nil {
		t.Fatalf("%d %s: %v", answer.StatusCode, body, err)
	}
	if answer.StatusCode != status || p.Status != status || !strings.Contains(p.Detail, want) {
		t.Errorf("got %d: %s, want %d and a sentence with %q", answer.StatusCode, body, status, want)
	}
	if got := answer.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("content type %q, want application/problem+json", got)
	}
}

func testEvent(t *testing.T, cluster audit.ClusterID, name string) query.Event {
	t.Helper()
	e := query.Event{Cluster: cluster, Received: testTime.Add(time.Second), Event: audit.Event{
		Level: "Metadata", AuditID: "a-" + name, Stage: audit.StageResponseComplete, RequestURI: "/api/v1/namespaces/ns/pods/" + name, Verb: "get",
		User: audit.User{Username: "jo"}, SourceIPs: []string{"10.0.0.1"}, RequestReceived: testTime, StageTime: testTime,
	}}
	e.ID, e.Request = e.Event.ID(cluster), e.Event.RequestID(cluster)
	return e
}

func testFinding(cluster audit.ClusterID, id byte) detect.Finding {
	return detect.Finding{
		Schema: detect.FindingSchema, ID: detect.FindingID{id}, Rule: "exec-into-pod", Title: "a shell", Severity: "medium", Cluster: cluster,
		Key: detect.Key{{Name: "cluster", Value: string(cluster)}}, FirstSeen: testTime, LastSeen: testTime, Count: 1,
		Tags: []string{}, Events: []detect.EventRef{}, State: detect.StateClosed, Revision: 1,
	}
}

func testLetter(cluster audit.ClusterID, id byte) query.SealedLetter {
	return query.SealedLetter{
		DeadLetter: query.DeadLetter{
			Schema: query.DeadLetterSchema, ID: query.DeadLetterID{id}, Received: testTime, Reason: "syntax", Cluster: cluster,
			Sender: string(cluster), Length: 9, Kept: 8, Offset: 7, Fault: 6, KeyID: "mine",
		},
		Sealed: []byte{id, 0xff},
	}
}

// threeClusters has an event, a finding, a dead letter and a blind rule in each of
// blue, green and red.
func threeClusters(t *testing.T) *fakeStore {
	s := &fakeStore{}
	for i, cluster := range []audit.ClusterID{"blue", "green", "red"} {
		s.events = append(s.events, testEvent(t, cluster, "in-"+string(cluster)))
		s.findings = append(s.findings, testFinding(cluster, byte(i+1)))
		s.letters = append(s.letters, testLetter(cluster, byte(i+1)))
		s.blind = append(s.blind, query.Blind{Schema: query.BlindSchema, Cluster: cluster, Rule: "r", Resource: "pods", Needs: audit.GapRequest, Evaluations: 3, Since: testTime, Last: testTime})
	}
	return s
}
