package api

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/klaxon-dev/klaxon/internal/query"
)

// TestAuthMatrix asks for every route of the document, and two that take higher
// roles, with every kind of token.
func TestAuthMatrix(t *testing.T) {
	store := threeClusters(t)
	b := newBench(t, testConfig(), store)
	for _, role := range []Role{RoleAnalyst, RoleAdmin} {
		register(b.api, huma.Operation{OperationID: "for-" + string(role), Path: Base + "/for-" + string(role)}, role,
			func(context.Context, *request, *struct{}) (*struct{}, error) { return &struct{}{}, nil })
	}
	routes := map[string][4]int{ // by viewer, analyst, admin, nobody
		"/api/v1/for-analyst":  {403, 204, 204, 401},
		"/api/v1/for-admin":    {403, 403, 204, 401},
		"/api/v1/openapi.json": {200, 200, 200, 401},
		"/api/v1/nothing-here": {404, 404, 404, 401},
		"/":                    {404, 404, 404, 401},

		"/api/v1/deadletters":      {403, 200, 200, 401},
		"/api/v1/deadletters/{id}": {403, 403, 200, 401},
	}
	for path := range b.api.huma.OpenAPI().Paths {
		if _, special := routes[path]; !special {
			routes[path] = [4]int{200, 200, 200, 401}
		}
	}
	for path, want := range routes {
		at := strings.Replace(path, "events/{id}", "events/"+store.events[1].ID.String(), 1)
		at = strings.Replace(at, "findings/{id}", "findings/"+store.findings[1].ID.String(), 1)
		at = strings.Replace(at, "deadletters/{id}", "deadletters/"+store.letters[1].ID.String(), 1)
		for i, token := range []string{viewerToken, analystToken, adminToken, ""} {
			answer, body := b.get(token, at)
			if answer.StatusCode != want[i] {
				t.Errorf("GET %s with %q: got %d, want %d: %s", at, token, answer.StatusCode, want[i], body)
			}
			if want[i] > 400 {
				checkProblem(t, answer, body, want[i], "")
			}
		}
	}
	if len(routes) < 10 {
		t.Errorf("only %d routes: the document lacks some", len(routes))
	}
}

func TestTokensThatAreNone(t *testing.T) {
	store := threeClusters(t)
	b := newBench(t, testConfig(), store)
	for _, header := range []string{
		"", "Bearer", "Bearer ", "Basic " + adminToken, adminToken, "Bearer " + adminToken[1:], "Bearer " + adminToken + "x",
		"Bearer " + strings.ToUpper(adminToken), "Bearer " + hashed(adminToken), "Bearer " + adminToken + " " + adminToken, "Bearer \x00",
	} {
		req := httptest.NewRequest(http.MethodGet, "/api/v1/events", nil)
		req.Header.Set("Authorization", header)
		answer, body := b.do(req)
		checkProblem(t, answer, body, http.StatusUnauthorized, "Authorization: Bearer")
		if answer.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%q: no WWW-Authenticate", header)
		}
		if strings.Contains(body, adminToken) || strings.Contains(b.log.String(), adminToken) {
			t.Errorf("%q: the token is told", header)
		}
	}
	if n := len(store.askedEvents); n != 0 {
		t.Errorf("the store was asked %d times", n)
	}
	if n := strings.Count(b.log.String(), "reason=token"); n != 1 {
		t.Errorf("refusals were logged %d times in a minute, want once", n)
	}
	if got, _ := b.get("", "/api/v1/events?access_token="+adminToken+"&token="+adminToken); got.StatusCode != http.StatusUnauthorized {
		t.Errorf("a token in the URL was taken: %d", got.StatusCode)
	}
}

// TestOtherClustersAreNeverSeen sends what filters there are, at random: vera
// sees blue and green and nothing of red.
func TestOtherClustersAreNeverSeen(t *testing.T) {
	store := threeClusters(t)
	b := newBench(t, testConfig(), store)
	random := rand.New(rand.NewPCG(1, 2))
	red := []string{"red", "r*", "*", "", "blue", "green", "blue*", "' OR 1=1 --", "jo", store.events[2].ID.String(), store.findings[2].ID.String()}
	eventNames, findingNames := names(eventParams()), names(findingParams())
	for range 2000 {
		for path, names := range map[string][]string{"/api/v1/events": eventNames, "/api/v1/findings": findingNames} {
			values := url.Values{}
			for range random.IntN(4) {
				values.Add(names[random.IntN(len(names))], red[random.IntN(len(red))])
			}
			checkNotSeen(t, b, path+"?"+values.Encode())
		}
	}
	checkNotSeen(t, b, "/api/v1/events/"+store.events[2].ID.String())
	checkNotSeen(t, b, "/api/v1/findings/"+store.findings[2].ID.String())
	for _, q := range store.askedEvents {
		if diff := cmp.Diff([]string{"blue", "green"}, textsOf(q.Allowed)); diff != "" {
			t.Fatalf("the store was asked beyond vera's clusters: %s", diff)
		}
	}
	for _, q := range store.askedFindings {
		if diff := cmp.Diff([]string{"blue", "green"}, textsOf(q.Allowed)); diff != "" {
			t.Fatalf("the store was asked beyond vera's clusters: %s", diff)
		}
	}
	if len(store.askedEvents) < 100 || len(store.askedFindings) < 100 {
		t.Errorf("the store was asked only %d and %d times", len(store.askedEvents), len(store.askedFindings))
	}
}

func checkNotSeen(t *testing.T, b *bench, path string) {
	t.Helper()
	answer, body := b.get(viewerToken, path)
	if answer.StatusCode == http.StatusOK && strings.Contains(body, `"cluster":"red"`) {
		t.Fatalf("%s: %s", path, body)
	}
}

func names[Q any](params []param[Q]) (names []string) {
	for _, p := range params {
		names = append(names, p.name)
	}
	return names
}

func textsOf[T ~string](list []T) []string {
	texts := make([]string, len(list))
	for i := range list {
		texts[i] = string(list[i])
	}
	return texts
}

func TestWhatTheStoreMustNotShowIsWithheld(t *testing.T) {
	store := threeClusters(t)
	store.careless = true
	b := newBench(t, testConfig(), store)
	for _, path := range []string{
		"/api/v1/events", "/api/v1/findings",
		"/api/v1/events/" + store.events[2].ID.String(), "/api/v1/findings/" + store.findings[2].ID.String(),
	} {
		answer, body := b.get(viewerToken, path)
		checkProblem(t, answer, body, http.StatusInternalServerError, "")
		if strings.Contains(body, "red") {
			t.Errorf("%s tells of another cluster: %s", path, body)
		}
	}
	if !strings.Contains(b.log.String(), "level=ERROR") {
		t.Errorf("nobody is told: %s", b.log)
	}
}

func TestAClusterThatMayNotBeSeenIsNotAnEmptyAnswer(t *testing.T) {
	b := newBench(t, testConfig(), threeClusters(t))
	b.problem(analystToken, "/api/v1/events?cluster=green&cluster=red", http.StatusForbidden, `anna may not see cluster "red", only green`)
	b.problem(analystToken, "/api/v1/findings?cluster=red", http.StatusForbidden, `"red"`)
	if answer, body := b.get(adminToken, "/api/v1/events?cluster=red"); answer.StatusCode != http.StatusOK {
		t.Error(answer.StatusCode, body)
	}
	if n := strings.Count(b.log.String(), "reason=forbidden"); n != 1 {
		t.Errorf("refusals were logged %d times in a minute, want once: %s", n, b.log)
	}
}

func TestWhoami(t *testing.T) {
	b := newBench(t, testConfig(), &fakeStore{})
	_, body := b.get(analystToken, "/api/v1/whoami")
	if want := `{"name":"anna","role":"analyst","clusters":["green"]}` + "\n"; body != want {
		t.Errorf("got %s, want %s", body, want)
	}
	if len(b.access) != 0 {
		t.Errorf("no evidence was read, but recorded: %v", b.access)
	}
}

func TestAllowedIsNeverNilByAccident(t *testing.T) {
	p := Principal{Clusters: nil}
	if p.allowed() == nil || p.sees("any") {
		t.Error("a principal without clusters sees all")
	}
	var q query.Events
	if q.Allowed = p.allowed(); fmt.Sprint(q.Allowed) != "[]" {
		t.Errorf("got %v", q.Allowed)
	}
}
