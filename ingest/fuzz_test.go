package ingest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	kjson "sigs.k8s.io/json"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/internal/topic"
)

// FuzzBody posts anything: it is accepted, what is read of it comes out of the
// log as an event whose id is right, and the rest as a dead letter. Of a list that
// is whole each item comes out once, and no letter lies in the log in the clear.
func FuzzBody(f *testing.F) {
	for _, body := range []string{
		"", "{", "[]", list(), list(event("a")), list(event("a"), `{`, event("b")), list(`7`, `{"kind":"Pod"}`, `{"verb":{}}`),
		strings.TrimSuffix(list(event("a")), "]}\n"), list(event("a")) + "more",
		list(`{"verb":"get","objectRef":{"resource":"secrets"},"responseObject":{"kind":"Secret","data":{"p":"c2VjcmV0"}}}`),
		`{"items":[` + event("a") + `],"kind":"EventList","apiVersion":"audit.k8s.io/v1"}`,
		`{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":null}`,
	} {
		f.Add(body)
	}
	redactor, err := audit.NewRedactor(testKey)
	if err != nil {
		f.Fatal(err)
	}
	dir := f.TempDir()
	if err := writeFile(TokenPath(dir, "prod"), tokenA); err != nil {
		f.Fatal(err)
	}
	senders, err := NewRegistry(dir, nil, time.Now, testLogger(io.Discard))
	if err != nil {
		f.Fatal(err)
	}
	var c Config
	c.SetDefaults()
	c.Limits.EventBytes = audit.MinEventBytes
	f.Fuzz(func(t *testing.T, body string) {
		log := &memoryLog{}
		reg := prometheus.NewRegistry()
		r, err := NewReceiver(Options{
			Producer: log, Senders: senders, Redactor: redactor, Sealer: testSealer(t, testKey),
			Limits: c.Limits, Now: time.Now, Logger: testLogger(io.Discard), Registerer: reg,
		})
		if err != nil {
			t.Fatal(err)
		}
		req := httptest.NewRequest(http.MethodPost, "/webhook/prod", strings.NewReader(body))
		req.Header.Set("Authorization", "Bearer "+tokenA)
		w := httptest.NewRecorder()
		r.ServeHTTP(w, req)
		if w.Code != http.StatusOK {
			t.Fatalf("answered %d %s", w.Code, w.Body)
		}
		for _, e := range log.events(t, topic.KindEvent) {
			var scanned audit.Event
			if err := audit.Scan(e.Item, &scanned); err != nil {
				t.Fatalf("stored what is no event: %v", err)
			}
			if scanned.ID("prod") != e.ID {
				t.Errorf("the id %v is not the stored event's, %v", e.ID, scanned.ID("prod"))
			}
		}
		letters, texts := log.letters(t)
		got := len(log.events(t, topic.KindEvent)) + len(letters)
		if least := leastRecords(body); got < least {
			t.Errorf("%d events and dead letters, want at least %d", got, least)
		}
		if items, whole := wholeList(body); whole {
			checkItems(t, log, redactor, items, texts)
		}
		checkSealed(t, log, texts)
		if held := metric(t, reg, "klaxon_ingest_held_bytes"); held != 0 {
			t.Errorf("%v bytes are held after the answer", held)
		}
	})
}

// leastRecords is what a body must leave: of a list that is whole each item, of
// anything else a dead letter at least. Where a member may come twice it is not
// known.
func leastRecords(body string) int {
	var all struct {
		Kind       string            `json:"kind"`
		APIVersion string            `json:"apiVersion"`
		Items      []json.RawMessage `json:"items"`
	}
	err := kjson.UnmarshalCaseSensitivePreserveInts([]byte(body), &all)
	switch {
	case err != nil:
		return 1
	case strings.Count(body, `"items"`)+strings.Count(body, `\u`) > 1:
		return 0
	case all.Kind != "EventList" || all.APIVersion != "audit.k8s.io/v1":
		return 1
	}
	return len(all.Items)
}

// wholeList returns the items of a body that is a list of some as API servers send it;
// false for any other.
func wholeList(body string) (items []json.RawMessage, whole bool) {
	var all struct {
		Kind       string            `json:"kind"`
		APIVersion string            `json:"apiVersion"`
		Items      []json.RawMessage `json:"items"`
	}
	repeated, err := kjson.UnmarshalStrict([]byte(body), &all, kjson.DisallowDuplicateFields)
	return all.Items, err == nil && len(repeated) == 0 && len(all.Items) > 0 && all.Kind == "EventList" && all.APIVersion == "audit.k8s.io/v1"
}

// checkItems holds that each item came out: an event as what its own reduction
// gives, in the order of the list in its partition; any other as it came.
func checkItems(t *testing.T, log *memoryLog, redactor *audit.Redactor, items []json.RawMessage, letters []string) {
	t.Helper()
	reducer, err := audit.NewReducer(redactor, audit.MinEventBytes)
	if err != nil {
		t.Fatal(err)
	}
	stored := map[audit.EventID]int{}
	for _, e := range log.events(t, topic.KindEvent) {
		stored[e.ID]++
	}
	for _, item := range items {
		var e audit.Event
		if audit.Scan(item, &e) != nil {
			i := slices.Index(letters, string(item))
			if i < 0 {
				t.Fatalf("no letter holds the item %q", item)
			}
			letters = slices.Delete(slices.Clone(letters), i, i+1)
			continue
		}
		if _, _, err := reducer.Reduce(item, &e); err != nil {
			t.Fatalf("reduce %q: %v", item, err)
		}
		if stored[e.ID("prod")]--; stored[e.ID("prod")] < 0 {
			t.Fatalf("the event is missing: %q", item)
		}
	}
	for id, left := range stored {
		if left > 0 {
			t.Fatalf("%v is stored %d times too often", id, left)
		}
	}
	if len(letters) > 0 {
		t.Fatalf("nobody sent the letters %q", letters)
	}
}

// checkSealed holds that no record shows a letter that is long enough to be told
// from chance.
func checkSealed(t *testing.T, log *memoryLog, letters []string) {
	t.Helper()
	for _, record := range log.records[topic.DeadLetters] {
		for _, text := range letters {
			if len(text) >= 8 && bytes.Contains(record.Value, []byte(text[:8])) {
				t.Fatalf("%q lies in the log", text)
			}
		}
	}
}
