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

func TestSearchBlindness(t *testing.T) {
	store := threeClusters(t)
	b := newBench(t, testConfig(), store)
	answer, body := b.get(viewerToken, "/api/v1/blindness?rule=r&needs=Request&resource=pods&limit=9")
	if answer.StatusCode != http.StatusOK {
		t.Fatal(answer.StatusCode, body)
	}
	want := query.Blindness{
		Allowed: []audit.ClusterID{"blue", "green"}, Rules: []string{"r"}, Needs: []string{"Request"}, Resources: []string{"pods"}, Limit: 9,
	}
	if diff := cmp.Diff([]query.Blindness{want}, store.askedBlind); diff != "" {
		t.Error(diff)
	}
	var page BlindPage
	if err := json.Unmarshal([]byte(body), &page); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(BlindPage{Items: store.blind[:2], Total: 2}, page); diff != "" {
		t.Error(diff)
	}
	wantRecord := []AccessRecord{{testTime, "vera", RoleViewer, "192.0.2.1", "search-blindness", "limit=9&needs=Request&resource=pods&rule=r", 200, 2}}
	if diff := cmp.Diff(wantRecord, b.access); diff != "" {
		t.Error(diff)
	}
	b.problem(viewerToken, "/api/v1/blindness?cluster=red", http.StatusForbidden, `may not see cluster "red"`)
	b.problem(viewerToken, "/api/v1/blindness?cursor=x", http.StatusBadRequest, `no parameter "cursor"`)
	if _, body := newBench(t, testConfig(), &fakeStore{}).get(adminToken, "/api/v1/blindness"); !strings.HasPrefix(body, `{"items":[],"total":0}`) {
		t.Errorf("none: %s", body)
	}
}

// A store that shows too much shows nothing.
func TestCarelessStoreOfBlindness(t *testing.T) {
	store := threeClusters(t)
	store.careless = true
	b := newBench(t, testConfig(), store)
	answer, body := b.get(viewerToken, "/api/v1/blindness")
	checkProblem(t, answer, body, http.StatusInternalServerError, "log says why")
}

func TestParseBlindness(t *testing.T) {
	values := url.Values{
		"since": {"90m"}, "until": {"2026-08-01"}, "cluster": {"a"}, "rule": {"r", "s*"}, "resource": {""}, "needs": {"never"}, "limit": {"1"},
	}
	got, err := ParseBlindness(values, testTime)
	if err != nil {
		t.Fatal(err)
	}
	want := query.Blindness{
		Since: testTime.Add(-90 * time.Minute), Until: time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC), Clusters: []string{"a"},
		Rules: []string{"r", "s*"}, Resources: []string{""}, Needs: []string{"never"}, Limit: 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(values) != len(blindnessParams()) {
		t.Errorf("%d filters are tested, there are %d", len(values), len(blindnessParams()))
	}
	again, err := ParseBlindness(FormatBlindness(got), testTime.Add(time.Hour))
	if diff := cmp.Diff(got, again); diff != "" || err != nil {
		t.Error(err, diff)
	}
}
