package cli

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/ingest"
	"github.com/klaxon-dev/klaxon/internal/datadir"
	"github.com/klaxon-dev/klaxon/internal/query"
	"github.com/klaxon-dev/klaxon/internal/secretfile"
	"github.com/klaxon-dev/klaxon/rules"
	"github.com/klaxon-dev/klaxon/web/api"
)

// memoryStore answers from memory: it filters by user, severity and id alone, and
// its cursors are places in its lists.
type memoryStore struct {
	events   []query.Event
	findings []detect.Finding
	letters  []query.SealedLetter
	blind    []query.Blind
}

func (s *memoryStore) SearchEvents(_ context.Context, q query.Events) (query.EventPage, error) {
	if slices.Contains(q.Codes, "teapot") {
		return query.EventPage{}, &query.FilterError{Filter: "code", Value: "teapot", Want: `a status as "403" or a class as "4xx"`}
	}
	var found []query.Event
	for _, e := range s.events {
		if (q.Users == nil || slices.Contains(q.Users, e.Event.User.Username)) && (q.IDs == nil || slices.Contains(q.IDs, e.ID)) {
			found = append(found, e)
		}
	}
	page, next := cutPage(found, q.Limit, q.Cursor)
	return query.EventPage{Events: page, Next: next}, nil
}

func (s *memoryStore) SearchFindings(_ context.Context, q query.Findings) (query.FindingPage, error) {
	var found []detect.Finding
	for _, f := range s.findings {
		severe := rules.Severity(f.Severity).Rank() >= rules.Severity(q.MinSeverity).Rank()
		if severe && (q.Actors == nil || slices.Contains(q.Actors, f.Actor)) {
			found = append(found, f)
		}
	}
	page, next := cutPage(found, q.Limit, q.Cursor)
	return query.FindingPage{Findings: page, Next: next}, nil
}

func (s *memoryStore) Finding(_ context.Context, id detect.FindingID, _ []audit.ClusterID) (detect.Finding, error) {
	for _, f := range s.findings {
		if f.ID == id {
			return f, nil
		}
	}
	return detect.Finding{}, query.ErrNotFound
}

func (s *memoryStore) SearchBlindness(_ context.Context, q query.Blindness) (query.BlindPage, error) {
	var found []query.Blind
	for _, b := range s.blind {
		if q.Rules == nil || slices.Contains(q.Rules, string(b.Rule)) {
			found = append(found, b)
		}
	}
	page, _ := cutPage(found, q.Limit, "")
	return query.BlindPage{Blind: page, Total: len(found)}, nil
}

func (s *memoryStore) SearchDeadLetters(_ context.Context, q query.DeadLetters) (query.DeadLetterPage, error) {
	var found []query.DeadLetter
	for _, d := range s.letters {
		if q.Reasons == nil || slices.Contains(q.Reasons, d.Reason) {
			found = append(found, d.DeadLetter)
		}
	}
	page, next := cutPage(found, q.Limit, q.Cursor)
	return query.DeadLetterPage{Letters: page, Next: next}, nil
}

func (s *memoryStore) DeadLetter(_ context.Context, id query.DeadLetterID, _ []audit.ClusterID) (query.SealedLetter, error) {
	for _, d := range s.letters {
		if d.ID == id {
			return d, nil
		}
	}
	return query.SealedLetter{}, query.ErrNotFound
}

// unseal takes what is sealed for the text.
func unseal(d query.SealedLetter) ([]byte, error) {
	if d.KeyID != "0123456789abcdef" {
		return nil, fmt.Errorf("%w: it takes the key %s", query.ErrSealed, d.KeyID)
	}
	return d.Sealed, nil
}

func cutPage[T any](all []T, limit int, cursor string) (page []T, next string) {
	from, _ := strconv.Atoi(cursor)
	to := min(from+cmp.Or(limit, query.DefaultLimit), len(all))
	if to < len(all) {
		next = strconv.Itoa(to)
	}
	return all[from:to], next
}

// apiEvents are the events of the file, JSON lines, and copies more of the first.
func apiEvents(text string, copies int) ([]query.Event, error) {
	var events []query.Event
	for line := range strings.Lines(text) {
		e := query.Event{Cluster: "prod", Received: time.Date(2026, 7, 1, 12, 0, 1, 0, time.UTC)}
		if err := audit.Scan([]byte(line), &e.Event); err != nil {
			return nil, err
		}
		e.ID, e.Request = e.Event.ID(e.Cluster), e.Event.RequestID(e.Cluster)
		events = append(events, e)
	}
	return append(events, slices.Repeat(events[:1], copies)...), nil
}

func apiFindings() []detect.Finding {
	at := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	shell := detect.Finding{
		Schema: detect.FindingSchema, ID: detect.FindingID{0xa1}, Fingerprint: detect.Fingerprint{0xf1}, Rule: "exec-into-pod", RuleVersion: "ab12",
		Title: "jo ran a command in shop/web-1", Description: "Somebody ran a command in a pod.", Severity: "medium", Cluster: "prod", Namespace: "shop",
		Actor: "jo", Key: detect.Key{{Name: "cluster", Value: "prod"}, {Name: "actor.name", Value: "jo"}}, FirstSeen: at, LastSeen: at.Add(time.Minute),
		Count: 2, Tags: []string{"attack.t1609"}, State: detect.StateClosed, Revision: 2,
		Events: []detect.EventRef{{Time: at, Verb: "get", User: "jo", Object: "pods/exec shop/web-1", SourceIPs: []string{"10.0.0.1"}, Code: 101}},
	}
	sweep := shell
	sweep.ID, sweep.Severity, sweep.Rule, sweep.Actor = detect.FindingID{0xb2}, "critical", "secret-sweep", "eve"
	sweep.Title = "\x1b[2J=HYPERLINK(1) \u202e"
	return []detect.Finding{shell, sweep}
}

func apiLetters() []query.SealedLetter {
	letter := func(id byte, reason, text string, length, offset, fault int64) query.SealedLetter {
		return query.SealedLetter{Sealed: []byte(text), DeadLetter: query.DeadLetter{
			Schema: query.DeadLetterSchema, ID: query.DeadLetterID{id}, Received: time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC), Reason: reason,
			Cluster: "prod", Sender: "prod", Length: length, Kept: int64(len(text)), Offset: offset, Fault: fault, KeyID: "0123456789abcdef",
		}}
	}
	hostile := letter(0xd2, "body_type", "\x1b]52;c;aGk=\x07\r\n\u202e=cmd()\n| not klaxon's\n\xff\x00<!channel>\\", 900, 0, 0)
	hostile.Sender = "\x1b[2J"
	long := letter(0xd3, "syntax", strings.Repeat("a", 10_000)+"!"+strings.Repeat("z", 10_000), 20_001, 0, 10_000)
	lost := letter(0xd4, "size", "", 9, 0, 0)
	lost.KeyID = "fedcba9876543210"
	return []query.SealedLetter{letter(0xd1, "syntax", "{\"verb\":get}\n", 13, 57, 8), hostile, long, lost}
}

func apiBlind() []query.Blind {
	since := time.Date(2026, 6, 1, 9, 0, 0, 0, time.UTC)
	b := query.Blind{
		Schema: query.BlindSchema, Cluster: "prod", Rule: "privileged-pod", Resource: "pods", Needs: audit.GapRequest,
		Evaluations: 1200, Since: since, Last: since.AddDate(0, 1, 0),
	}
	other := b
	other.Rule, other.Resource, other.Needs, other.Evaluations = "wide-binding", "", audit.GapNever, 3
	return []query.Blind{b, other}
}

// askedLines keeps what each script's API was asked, by its $WORK.
var askedLines sync.Map

type askedLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *askedLog) record(_ context.Context, r api.AccessRecord) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(&l.text, "%s %s %s\n", r.Principal, r.Operation, r.Filters)
	return nil
}

// startAPI runs an API on the script's data directory, as serve does, with the
// events of a file: api FILE [COPIES of the first].
func startAPI(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: api FILE [COPIES]")
	}
	copies := 0
	if len(args) == 2 {
		var err error
		copies, err = strconv.Atoi(args[1])
		ts.Check(err)
	}
	events, err := apiEvents(ts.ReadFile(args[0]), copies)
	ts.Check(err)
	log := &askedLog{}
	server, local, err := newAPIServer(datadir.Dir(ts.Getenv("KLAXON_DATA_DIR")), &memoryStore{events, apiFindings(), apiLetters(), apiBlind()}, log)
	ts.Check(err)
	served := make(chan error, 1)
	go func() { served <- server.Serve() }()
	ts.Defer(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		ts.Check(server.Shutdown(ctx))
		ts.Check(<-served)
	})
	ts.Setenv("API", local.Server)
	ts.Setenv("TOKEN_FILE", local.TokenFile)
	ts.Setenv("CA_FILE", local.CAFile)
	askedLines.Store(ts.Getenv("WORK"), log)
}

// newAPIServer makes an API and the client configuration of its directory.
func newAPIServer(dir datadir.Dir, store *memoryStore, log *askedLog) (*api.Server, datadir.Client, error) {
	var local datadir.Client
	files, err := ingest.EnsureDevTLS(dir.TLS(), nil, time.Now())
	if err != nil {
		return nil, local, err
	}
	if _, err := secretfile.Ensure(dir.AdminToken()); err != nil {
		return nil, local, err
	}
	config := api.Config{
		Listen: "127.0.0.1:0", TLS: api.TLSConfig{CertFile: files.CertFile, KeyFile: files.KeyFile},
		Principals: []api.Principal{{Name: "vera", Role: api.RoleAdmin, Clusters: []string{"prod"}, TokenFile: dir.AdminToken()}},
	}
	config.SetDefaults()
	server, err := api.NewServer(config, api.Options{
		Events: store, Findings: store, Blindness: store, DeadLetters: store, Unseal: unseal, Access: log.record,
		Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(), Clock: time.Now,
	})
	if err != nil {
		return nil, local, err
	}
	local = datadir.Client{Server: "https://" + server.Addr().String(), TokenFile: dir.AdminToken(), CAFile: files.CAFile}
	return server, local, dir.WriteClient(local)
}

// writeAsked writes what the API was asked since the last time: asked FILE.
func writeAsked(ts *testscript.TestScript, neg bool, args []string) {
	kept, ok := askedLines.Load(ts.Getenv("WORK"))
	if neg || len(args) != 1 || !ok {
		ts.Fatalf("usage: asked FILE, after api")
	}
	log := kept.(*askedLog)
	log.mu.Lock()
	defer log.mu.Unlock()
	text := strings.ReplaceAll(log.text.String(), "%3A", ":")
	log.text.Reset()
	for _, m := range masks {
		text = m.what.ReplaceAllString(text, m.by)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}
