package api

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/internal/query"
)

func TestSearchFindings(t *testing.T) {
	store := threeClusters(t)
	b := newBench(t, testConfig(), store)
	answer, body := b.get(analystToken, "/api/v1/findings?severity=high&rule=a&rule=b*&until=2026-06-01")
	if answer.StatusCode != http.StatusOK {
		t.Fatal(answer.StatusCode, body)
	}
	want := query.Findings{Shadow: query.ShadowHide,
		Allowed: []audit.ClusterID{"green"}, MinSeverity: "high", Rules: []string{"a", "b*"},
		Until: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC),
	}
	if diff := cmp.Diff([]query.Findings{want}, store.askedFindings); diff != "" {
		t.Error(diff)
	}
	var page FindingPage
	if err := json.Unmarshal([]byte(body), &page); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(store.findings[1:2], page.Items); diff != "" {
		t.Error(diff)
	}
}

func TestGetFinding(t *testing.T) {
	store := threeClusters(t)
	b := newBench(t, testConfig(), store)
	answer, body := b.get(analystToken, "/api/v1/findings/"+store.findings[1].ID.String())
	var got detect.Finding
	if err := json.Unmarshal([]byte(body), &got); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatal(err, answer.StatusCode, body)
	}
	if diff := cmp.Diff(store.findings[1], got); diff != "" {
		t.Error(diff)
	}
	b.problem(analystToken, "/api/v1/findings/"+store.findings[0].ID.String(), http.StatusNotFound, "there is no such finding")
	b.problem(analystToken, "/api/v1/findings/1", http.StatusBadRequest, "32 hexadecimal digits")
}
