package attack

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"
)

// server answers with codes, one after the other, and keeps what it was asked.
type server struct {
	codes []int
	seen  []*http.Request
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.seen = append(s.seen, r)
	w.WriteHeader(s.codes[min(len(s.seen), len(s.codes))-1])
	_, _ = w.Write([]byte(`{"kind":"Status","message":"as told"}`))
}

// actorOf is somebody who talks to a server that answers with codes.
func actorOf(t *testing.T, codes ...int) (actor, *server) {
	t.Helper()
	s := &server{codes: codes}
	listening := httptest.NewServer(s)
	t.Cleanup(listening.Close)
	a, err := newActor("somebody", curl, &rest.Config{Host: listening.URL})
	if err != nil {
		t.Fatal(err)
	}
	return a, s
}

func TestRequestReportsUnforeseenAnswers(t *testing.T) {
	f := func(code int, change func(request) request, want string) {
		t.Helper()
		a, _ := actorOf(t, code)
		o := change(a.get("/api")).do(t.Context())
		got := ""
		if o.err != nil {
			got = o.err.Error()
		}
		if got != want {
			t.Errorf("error %q, want %q", got, want)
		}
		if len(o.ids) != 1 || o.ids[0] == "" || o.actor != "somebody" {
			t.Errorf("outcome %+v, want one audit ID of somebody", o)
		}
	}
	same := func(r request) request { return r }
	f(200, same, "")
	f(403, request.refused, "")
	f(418, func(r request) request { return r.answers() }, "")
	f(409, func(r request) request { return r.answers(201, 409) }, "")
	f(403, same, `GET /api as "somebody": answered 403, foreseen [200]: as told`)
	f(200, request.refused, `GET /api as "somebody": answered 200, foreseen [403]: as told`)
}

func TestRequestReportsADeadServer(t *testing.T) {
	a, _ := actorOf(t, 200)
	a.config = &rest.Config{Host: "http://127.0.0.1:1"}
	if o := a.get("/api").answers().do(t.Context()); o.err == nil || len(o.ids) != 1 {
		t.Errorf("outcome %+v, want an error and the audit ID", o)
	}
}

func TestPatientRequestIsRepeated(t *testing.T) {
	a, s := actorOf(t, 403, 403, 200)
	o := a.get("/api").eventually().do(t.Context())
	if o.err != nil || len(o.ids) != 3 || len(s.seen) != 3 {
		t.Errorf("outcome %+v after %d requests, want three tries and no error", o, len(s.seen))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if o := a.get("/api").refused().eventually().do(ctx); o.err == nil {
		t.Error("no error after the context ended")
	}
}

func TestRequestGoesOutAsWritten(t *testing.T) {
	a, s := actorOf(t, 200)
	f := func(r request, uri string, headers http.Header) {
		t.Helper()
		o := r.do(t.Context())
		if o.err != nil {
			t.Fatal(o.err)
		}
		got := s.seen[len(s.seen)-1]
		if got.RequestURI != uri {
			t.Errorf("sent %q, want %q", got.RequestURI, uri)
		}
		if id := got.Header.Get(auditID); id != o.ids[0] {
			t.Errorf("sent audit ID %q, reported %q", id, o.ids[0])
		}
		for key, want := range headers {
			if diff := cmp.Diff(want, got.Header[key]); diff != "" {
				t.Errorf("%s (-want +sent):\n%s", key, diff)
			}
		}
	}
	f(a.get("/%73ecrets/%2F?a=%0a&b=✓"), "/%73ecrets/%2F?a=%0a&b=✓", http.Header{"User-Agent": {curl}})
	f(a.get("//api/./x/../y/"), "//api/./x/../y/", nil)
	f(a.with("").get("/"), "/", http.Header{"User-Agent": nil})
	f(a.get("/").header(auditID, "mine"), "/", http.Header{auditID: {"mine"}})
	f(a.get("/").as("x", "g", "h"), "/", http.Header{"Impersonate-User": {"x"}, "Impersonate-Group": {"g", "h"}})
	f(a.table("/a").replace("Accept", "text/plain"), "/a?limit=500", http.Header{"Accept": {"text/plain"}})
	f(a.patch("/a", mergePatch, "{}"), "/a?fieldManager=kubectl-patch", http.Header{"Content-Type": {mergePatch}})
}

func TestChangingARequestLeavesTheOther(t *testing.T) {
	a, _ := actorOf(t, 200)
	first := a.get("/").header("X", "1")
	_ = first.header("X", "2").replace("X", "3").refused().aside()
	if diff := cmp.Diff(http.Header{"X": {"1"}}, first.headers); diff != "" {
		t.Errorf("headers changed (-want +got):\n%s", diff)
	}
	if !first.primary || first.codes[0] != http.StatusOK {
		t.Errorf("request changed: %+v", first)
	}
}

func TestManifestThatCannotBeReadIsReported(t *testing.T) {
	a, s := actorOf(t, 201)
	o := a.create("kind: [").do(t.Context())
	if o.err == nil || !strings.Contains(o.err.Error(), `"kind: ["`) || len(s.seen) > 0 {
		t.Errorf("outcome %+v after %d requests, want an error before any", o, len(s.seen))
	}
}
