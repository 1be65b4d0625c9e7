package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/klaxon-dev/klaxon/internal/query"
)

func TestEveryReadIsRecorded(t *testing.T) {
	store := threeClusters(t)
	b := newBench(t, testConfig(), store)
	b.get(viewerToken, "/api/v1/events?verb=get&user=a%26b%0A&limit=5")
	b.get(viewerToken, "/api/v1/events/"+store.events[0].ID.String())
	b.get(analystToken, "/api/v1/findings?severity=low")
	b.get(analystToken, "/api/v1/findings/"+store.findings[1].ID.String())
	b.get(analystToken, "/api/v1/findings/"+store.findings[0].ID.String())
	record := func(who string, role Role, operation, filters string, status, rows int) AccessRecord {
		return AccessRecord{testTime, who, role, "192.0.2.1", operation, filters, status, rows}
	}
	want := []AccessRecord{
		record("vera", RoleViewer, "search-events", "limit=5&user=a%26b%0A&verb=get", 200, 2),
		record("vera", RoleViewer, "get-event", "id="+store.events[0].ID.String(), 200, 1),
		record("anna", RoleAnalyst, "search-findings", "severity=low", 200, 1),
		record("anna", RoleAnalyst, "get-finding", "id="+store.findings[1].ID.String(), 200, 1),
		record("anna", RoleAnalyst, "get-finding", "id="+store.findings[0].ID.String(), 404, 0),
	}
	if diff := cmp.Diff(want, b.access); diff != "" {
		t.Error(diff)
	}
}

func TestFailedReadsAreRecorded(t *testing.T) {
	store := &fakeStore{err: query.ErrTooExpensive}
	b := newBench(t, testConfig(), store)
	b.get(viewerToken, "/api/v1/events")
	if len(b.access) != 1 || b.access[0].Status != http.StatusUnprocessableEntity || b.access[0].Rows != 0 {
		t.Errorf("got %+v", b.access)
	}
}

func TestWhatCannotBeRecordedIsNotRead(t *testing.T) {
	store := threeClusters(t)
	b := newBench(t, testConfig(), store)
	b.api.options.Access = func(context.Context, AccessRecord) error { return errors.New("disk full") }
	for _, path := range []string{"/api/v1/events", "/api/v1/findings", "/api/v1/events/" + store.events[0].ID.String(), "/api/v1/findings/" + store.findings[0].ID.String()} {
		answer, body := b.get(viewerToken, path)
		checkProblem(t, answer, body, http.StatusInternalServerError, "log says why")
		if strings.Contains(body, "disk") || strings.Contains(body, "cluster") {
			t.Errorf("%s: %s", path, body)
		}
	}
}

func TestLogAccess(t *testing.T) {
	var b strings.Builder
	record := LogAccess(slog.New(slog.NewTextHandler(&b, nil)))
	if err := record(t.Context(), AccessRecord{Time: testTime, Principal: "vera", Operation: "search-events", Filters: "user=%1B", Status: 200, Rows: 3}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"principal=vera", "operation=search-events", `filters="user=%1B"`, "rows=3", "at=2026-07-01T12:00:00.000Z"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q lacks %s", b.String(), want)
		}
	}
}
