package api

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/internal/query"
)

func TestOpenAPIGolden(t *testing.T) {
	b := newBench(t, testConfig(), &fakeStore{})
	answer, got := b.get(viewerToken, "/api/v1/openapi.json")
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "application/openapi+json" {
		t.Fatal(answer.StatusCode, answer.Header)
	}
	path := filepath.Join("testdata", "openapi.json")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-update writes it anew):\n%s", path, diff)
	}
}

// TestSchemasAreTrue compares what the document says of an event, a finding
// and a dead letter with what is written.
func TestSchemasAreTrue(t *testing.T) {
	store := threeClusters(t)
	store.events[0].Event.RequestObject = []byte(`{"deep":` + nested(600) + `}`)
	store.events[0].TimeReason = query.TimeTooOld
	store.findings[0].Saturated, store.findings[0].Shadow, store.findings[0].Distinct, store.findings[0].Values = true, true, 1, []string{"v"}
	store.findings[0].Reason, store.findings[0].Degraded = detect.ReasonLost, true
	b := newBench(t, testConfig(), store)
	f := func(path, schema string) {
		t.Helper()
		_, body := b.get(adminToken, path)
		var page struct{ Items []map[string]any }
		if err := json.Unmarshal([]byte(body), &page); err != nil {
			t.Fatal(err)
		}
		written := map[string]bool{}
		for _, item := range page.Items {
			for name := range item {
				written[name] = true
			}
		}
		said := map[string]bool{}
		for name := range b.api.huma.OpenAPI().Components.Schemas.Map()[schema].Properties {
			said[name] = true
		}
		if diff := cmp.Diff(written, said); diff != "" {
			t.Errorf("%s: %s", schema, diff)
		}
	}
	f("/api/v1/events", "Event")
	f("/api/v1/findings", "Finding")
	f("/api/v1/deadletters", "DeadLetter")
	f("/api/v1/blindness", "Blind")
}

func nested(levels int) string {
	text := "1"
	for range levels {
		text = "[" + text + "]"
	}
	return text
}
