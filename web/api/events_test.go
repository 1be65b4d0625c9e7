package api

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/internal/query"
)

func TestSearchEvents(t *testing.T) {
	store := threeClusters(t)
	store.next = "more"
	b := newBench(t, testConfig(), store)
	answer, body := b.get(adminToken, "/api/v1/events?since=2h&user=jo&user=&code=4xx&limit=7&cursor=c")
	if answer.StatusCode != http.StatusOK {
		t.Fatal(answer.StatusCode, body)
	}
	want := query.Events{Since: testTime.Add(-2 * time.Hour), Users: []string{"jo", ""}, Codes: []string{"4xx"}, Limit: 7, Cursor: "c"}
	if diff := cmp.Diff([]query.Events{want}, store.askedEvents); diff != "" {
		t.Error(diff)
	}
	var page EventPage
	if err := json.Unmarshal([]byte(body), &page); err != nil {
		t.Fatal(err)
	}
	if len(page.Items) != 3 || page.Items[0].ID != store.events[0].ID || page.Next != "more" {
		t.Errorf("got %s", body)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
	} {
		if got := answer.Header.Get(name); got != want {
			t.Errorf("header %s: got %q, want %q", name, got, want)
		}
	}
}

func TestNothingFoundIsAnEmptyList(t *testing.T) {
	b := newBench(t, testConfig(), &fakeStore{})
	for _, path := range []string{"/api/v1/events", "/api/v1/findings"} {
		if _, body := b.get(adminToken, path); body != `{"items":[],"next":""}`+"\n" {
			t.Errorf("%s: got %s", path, body)
		}
	}
}

func TestGetEvent(t *testing.T) {
	store := threeClusters(t)
	b := newBench(t, testConfig(), store)
	answer, body := b.get(viewerToken, "/api/v1/events/"+store.events[1].ID.String())
	var got query.Event
	if err := json.Unmarshal([]byte(body), &got); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatal(err, answer.StatusCode, body)
	}
	if got.ID != store.events[1].ID || got.Event.ID(got.Cluster) != got.ID {
		t.Errorf("got %s", body)
	}
	b.problem(viewerToken, "/api/v1/events/"+store.events[2].ID.String(), http.StatusNotFound, "that you may see")
	b.problem(viewerToken, "/api/v1/events/"+audit.EventID{}.String(), http.StatusNotFound, "there is no event 0000")
	b.problem(viewerToken, "/api/v1/events/xyz", http.StatusBadRequest, "32 hexadecimal digits")
}
