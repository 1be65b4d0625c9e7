package api

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/internal/query"
)

func TestSearchDeadLetters(t *testing.T) {
	store := threeClusters(t)
	b := newBench(t, testConfig(), store)
	answer, body := b.get(analystToken, "/api/v1/deadletters?reason=body_*&sender=a&until=2026-06-01")
	if answer.StatusCode != http.StatusOK {
		t.Fatal(answer.StatusCode, body)
	}
	want := query.DeadLetters{
		Allowed: []audit.ClusterID{"green"}, Reasons: []string{"body_*"}, Senders: []string{"a"}, Until: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC),
	}
	if diff := cmp.Diff([]query.DeadLetters{want}, store.askedLetters); diff != "" {
		t.Error(diff)
	}
	var page DeadLetterPage
	if err := json.Unmarshal([]byte(body), &page); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]query.DeadLetter{store.letters[1].DeadLetter}, page.Items); diff != "" {
		t.Error(diff)
	}
	b.problem(viewerToken, "/api/v1/deadletters", http.StatusForbidden, "takes the role analyst")
	b.problem(analystToken, "/api/v1/deadletters?cluster=red", http.StatusForbidden, `may not see cluster "red"`)
	b.problem(analystToken, "/api/v1/deadletters?why=x", http.StatusBadRequest, `no parameter "why"`)
	if _, body := newBench(t, testConfig(), &fakeStore{}).get(adminToken, "/api/v1/deadletters"); !strings.HasPrefix(body, `{"items":[],"next":""}`) {
		t.Errorf("none: %s", body)
	}
}

func TestOpenDeadLetter(t *testing.T) {
	store := threeClusters(t)
	config := testConfig()
	config.Principals[2].Clusters = []string{"green", "red"}
	store.letters[2].KeyID = "other"
	b := newBench(t, config, store)
	path := func(i int) string { return "/api/v1/deadletters/" + store.letters[i].ID.String() }
	answer, body := b.get(adminToken, path(1))
	var got query.OpenLetter
	if err := json.Unmarshal([]byte(body), &got); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatal(err, answer.StatusCode, body)
	}
	want := query.OpenLetter{DeadLetter: store.letters[1].DeadLetter, Text: []byte("opened \x02\xff")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	b.problem(adminToken, path(2), http.StatusConflict, "the dead letter cannot be opened: it takes the key other")
	b.problem(adminToken, path(0), http.StatusNotFound, "there is no dead letter 0100")
	b.problem(adminToken, "/api/v1/deadletters/1", http.StatusBadRequest, "32 hexadecimal digits")
	record := func(i, status, rows int) AccessRecord {
		return AccessRecord{testTime, "root", RoleAdmin, "192.0.2.1", "open-dead-letter", "id=" + store.letters[i].ID.String(), status, rows}
	}
	if diff := cmp.Diff([]AccessRecord{record(1, 200, 1), record(2, 409, 0), record(0, 404, 0)}, b.access); diff != "" {
		t.Error(diff)
	}
	b.problem(analystToken, path(1), http.StatusForbidden, "takes the role admin")
	b.problem(viewerToken, path(1), http.StatusForbidden, "takes the role admin")
}

// A store that shows too much opens nothing.
func TestCarelessStoreOfDeadLetters(t *testing.T) {
	store := threeClusters(t)
	store.careless = true
	config := testConfig()
	config.Principals[2].Clusters = []string{"green"}
	b := newBench(t, config, store)
	for _, path := range []string{"/api/v1/deadletters", "/api/v1/deadletters/" + store.letters[0].ID.String()} {
		answer, body := b.get(adminToken, path)
		checkProblem(t, answer, body, http.StatusInternalServerError, "log says why")
	}
}

func TestParseDeadLetters(t *testing.T) {
	values := url.Values{
		"since": {"90m"}, "until": {"2026-08-01"}, "cluster": {"a"}, "sender": {"s", "t*"}, "reason": {"syntax"},
		"id": {strings.Repeat("a1", 16)}, "limit": {"1"}, "cursor": {"c"},
	}
	got, err := ParseDeadLetters(values, testTime)
	if err != nil {
		t.Fatal(err)
	}
	id, err := query.ParseDeadLetterID(strings.Repeat("a1", 16))
	if err != nil {
		t.Fatal(err)
	}
	want := query.DeadLetters{
		Since: testTime.Add(-90 * time.Minute), Until: time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC), Clusters: []string{"a"}, Senders: []string{"s", "t*"},
		Reasons: []string{"syntax"}, IDs: []query.DeadLetterID{id}, Limit: 1, Cursor: "c",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(values) != len(deadLetterParams()) {
		t.Errorf("%d filters are tested, there are %d", len(values), len(deadLetterParams()))
	}
	again, err := ParseDeadLetters(FormatDeadLetters(got), testTime.Add(time.Hour))
	if diff := cmp.Diff(got, again); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

// TestAnswersAreHarmless holds that what clients wrote does nothing in the
// terminal of who looks at an answer with curl.
func TestAnswersAreHarmless(t *testing.T) {
	const hostile = "\x1b[2J\u009b2J\u202e\u2066\u200b\x7f\U000e0041"
	store := threeClusters(t)
	store.events[0].Event.User.Username = hostile
	store.findings[0].Title = hostile
	store.letters[0].Sender = hostile
	b := newBench(t, testConfig(), store)
	for _, path := range []string{"/events", "/findings", "/deadletters", "/deadletters/" + store.letters[0].ID.String(), "/events?since=" + url.QueryEscape(hostile), "/events?" + url.QueryEscape(hostile) + "=x", "/" + url.PathEscape(hostile)} {
		_, body := b.get(adminToken, Base+path)
		acts := func(r rune) bool { return r != '\n' && (r < ' ' || r >= 0x7f) }
		if i := strings.IndexFunc(body, acts); i >= 0 {
			t.Errorf("%s: %q acts", path, body[i:])
		}
		if !strings.Contains(body, `\u202e`) {
			t.Errorf("%s does not show what was written: %s", path, body)
		}
	}
}
