package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/internal/query"
)

// impersonating makes the members of a request as somebody else.
func impersonating(user string) string {
	return `,"impersonatedUser":{"username":` + quote(user) + `}`
}

func code(n int) string { return fmt.Sprintf(`,"responseStatus":{"code":%d}`, n) }

func from(addresses ...string) string {
	list := make([]string, len(addresses))
	for i, a := range addresses {
		list[i] = quote(a)
	}
	return `,"sourceIPs":[` + strings.Join(list, ",") + `]`
}

func TestSearchEventsFilters(t *testing.T) {
	h := newHarness(t, engine(t))
	at := func(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }
	list := []sample{
		{auditID: "a", time: at(0), user: "alice", verb: "get", resource: "pods", namespace: "shop", name: "web-1", more: code(200) + from("10.1.2.3")},
		{auditID: "b", time: at(1), user: "bob", verb: "create", resource: "pods/exec", namespace: "shop", name: "web-1", more: code(101) + from("10.1.2.4", "192.168.0.9")},
		{auditID: "c", time: at(2), user: "system:admin", verb: "list", resource: "secrets", namespace: "bank", more: code(403) + from("2001:db8::7") + impersonating("alice")},
		{auditID: "d", time: at(3), user: "alicette", verb: "watch", resource: "podtemplates", namespace: "", name: "", stage: "ResponseStarted", more: code(404) + from("no address", "")},
		{auditID: "e", time: at(4), cluster: "prod-2", user: "carol", verb: "get", resource: "pods/log", namespace: "shop", name: "web-2", more: code(500)},
	}
	h.write(newFakeLog(), noon, list...)
	f := func(name string, q query.Events, want string) {
		t.Helper()
		got := strings.Join(auditIDs(h.all(q)), "")
		if got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
		q.Limit = 1
		if pages := strings.Join(auditIDs(h.all(q)), ""); pages != got {
			t.Errorf("%s: one by one %q, in one page %q", name, pages, got)
		}
	}
	id := func(i int) audit.EventID { return list[i].id(t) }
	f("all, newest first", query.Events{}, "edcba")
	f("since is in", query.Events{Since: at(3)}, "ed")
	f("until is out", query.Events{Until: at(2)}, "ba")
	f("an interval", query.Events{Since: at(1), Until: at(3)}, "cb")
	f("a cluster", query.Events{Clusters: []string{"prod-2"}}, "e")
	f("clusters by prefix", query.Events{Clusters: []string{"prod-*"}}, "edcba")
	f("a user, also impersonated", query.Events{Users: []string{"alice"}}, "ca")
	f("users by prefix", query.Events{Users: []string{"alice*"}}, "dca")
	f("any of two users", query.Events{Users: []string{"bob", "carol"}}, "eb")
	f("a verb", query.Events{Verbs: []string{"get"}}, "ea")
	f("any of two verbs", query.Events{Verbs: []string{"create", "w*"}}, "db")
	f("a resource, without its subresources", query.Events{Resources: []string{"pods"}}, "a")
	f("a subresource", query.Events{Resources: []string{"pods/exec"}}, "b")
	f("all subresources", query.Events{Resources: []string{"pods/*"}}, "eba")
	f("resources by prefix", query.Events{Resources: []string{"pod*"}}, "edba")
	f("subresources by prefix", query.Events{Resources: []string{"pods/l*", "secrets"}}, "ec")
	f("a namespace", query.Events{Namespaces: []string{"bank"}}, "c")
	f("no namespace", query.Events{Namespaces: []string{""}}, "d")
	f("a name", query.Events{Names: []string{"web-1"}}, "ba")
	f("names by prefix", query.Events{Names: []string{"web*"}}, "eba")
	f("a code", query.Events{Codes: []string{"403"}}, "c")
	f("a class of codes", query.Events{Codes: []string{"4xx"}}, "dc")
	f("codes and classes", query.Events{Codes: []string{"5XX", "101"}}, "eb")
	f("an address", query.Events{SourceIPs: []string{"10.1.2.3"}}, "a")
	f("an address, spelled another way", query.Events{SourceIPs: []string{"2001:0DB8:0::7"}}, "c")
	f("a range", query.Events{SourceIPs: []string{"10.1.2.0/24"}}, "ba")
	f("a range, with bits below its mask", query.Events{SourceIPs: []string{"192.168.99.99/16"}}, "b")
	f("a range of version 6", query.Events{SourceIPs: []string{"2001:db8::/32"}}, "c")
	f("every address of version 6", query.Events{SourceIPs: []string{"::/0"}}, "c")
	f("addresses by prefix of their text", query.Events{SourceIPs: []string{"10.1.*"}}, "ba")
	f("an id", query.Events{IDs: []audit.EventID{id(1)}}, "b")
	f("ids", query.Events{IDs: []audit.EventID{id(0), id(4), {1}}}, "ea")
	f("an audit id", query.Events{AuditIDs: []string{"d"}}, "d")
	f("a stage", query.Events{Stages: []string{"ResponseStarted"}}, "d")
	f("filters together", query.Events{Users: []string{"alice"}, Verbs: []string{"get"}}, "a")
	f("nothing", query.Events{Users: []string{"nobody"}}, "")
	f("the asker's cluster", query.Events{Allowed: []audit.ClusterID{"prod-1"}}, "dcba")
	f("another's cluster", query.Events{Allowed: []audit.ClusterID{"prod-1"}, Clusters: []string{"prod-2"}}, "")
	f("another's event by id", query.Events{Allowed: []audit.ClusterID{"prod-1"}, IDs: []audit.EventID{id(4)}}, "")
	f("a cluster by prefix does not widen it", query.Events{Allowed: []audit.ClusterID{"prod-2"}, Clusters: []string{"*"}}, "e")
	f("an asker without clusters", query.Events{Allowed: []audit.ClusterID{}}, "")
}

func TestSearchEventsRefuses(t *testing.T) {
	h := newHarness(t, engine(t))
	many := slices.Repeat([]string{"x"}, query.MaxValues+1)
	f := func(name string, q query.Events, cause error, filter string) {
		t.Helper()
		_, err := h.store.SearchEvents(t.Context(), q)
		var bad *query.FilterError
		if !errors.Is(err, cause) || filter != "" && (!errors.As(err, &bad) || bad.Filter != filter) {
			t.Errorf("%s: got %v, want %v of %q", name, err, cause, filter)
		}
	}
	f("a word as a code", query.Events{Codes: []string{"forbidden"}}, query.ErrBadFilter, "code")
	f("a class that is none", query.Events{Codes: []string{"9xx"}}, query.ErrBadFilter, "code")
	f("a code with more behind it", query.Events{Codes: []string{"200 OR 1=1"}}, query.ErrBadFilter, "code")
	f("a name as an address", query.Events{SourceIPs: []string{"localhost"}}, query.ErrBadFilter, "source_ip")
	f("a range that is none", query.Events{SourceIPs: []string{"10.0.0.0/40"}}, query.ErrBadFilter, "source_ip")
	f("too many values", query.Events{Users: many}, query.ErrBadFilter, "user")
	f("too many ids", query.Events{IDs: make([]audit.EventID, query.MaxLimit+1)}, query.ErrBadFilter, "id")
	f("a negative limit", query.Events{Limit: -1}, query.ErrBadFilter, "limit")
	f("no cursor", query.Events{Cursor: "x"}, query.ErrBadCursor, "")
	f("a cursor of findings", query.Events{Cursor: cursor{kind: cursorFindings, time: noon}.String()}, query.ErrBadCursor, "")
}

// Pages follow one another without gap or repetition, also where many events
// have one time, and while events are added.
func TestSearchEventsPages(t *testing.T) {
	h := newHarness(t, engine(t))
	log := newFakeLog()
	list := samples("a", 250, noon)
	for i := range list {
		list[i].time = noon.Add(time.Duration(i/100) * time.Microsecond)
	}
	h.write(log, noon, list...)
	var got []string
	q := query.Events{Limit: 30}
	for pages := 0; ; pages++ {
		page, err := h.store.SearchEvents(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, auditIDs(page.Events)...)
		if pages == 2 { // newer than all: not on a later page
			h.write(log, noon, samples("later", 50, noon.Add(time.Second))...)
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	var want []string
	for _, e := range list {
		want = append(want, e.auditID)
	}
	if diff := cmp.Diff(sorted(want), sorted(got)); diff != "" {
		t.Error(diff)
	}
}

func TestSearchEventsLimits(t *testing.T) {
	h := newHarness(t, engine(t))
	h.write(newFakeLog(), noon, samples("a", query.MaxLimit+1, noon)...)
	f := func(limit, want int) {
		t.Helper()
		page, err := h.store.SearchEvents(t.Context(), query.Events{Limit: limit})
		if err != nil || len(page.Events) != want || page.Next == "" {
			t.Errorf("limit %d: %d events, next %q, %v: want %d and a cursor", limit, len(page.Events), page.Next, err, want)
		}
	}
	f(0, query.DefaultLimit)
	f(1, 1)
	f(query.MaxLimit+1, query.MaxLimit)
}

// A page of large events ends early, and the next one goes on.
func TestSearchEventsPagesOfLargeEvents(t *testing.T) {
	h := newHarness(t, engine(t))
	list := samples("a", 10, noon)
	for i := range list {
		list[i].more = `,"requestObject":"` + strings.Repeat("x", 9<<20) + `"`
	}
	h.write(newFakeLog(), noon, list...)
	page, err := h.store.SearchEvents(t.Context(), query.Events{})
	if err != nil || len(page.Events) >= len(list) || page.Next == "" {
		t.Errorf("%d events in the first page, next %q, %v: want fewer than %d", len(page.Events), page.Next, err, len(list))
	}
	if got := h.all(query.Events{}); len(got) != len(list) {
		t.Errorf("%d events in all pages, want %d", len(got), len(list))
	}
}

// hostile are texts that break what does not treat them as text.
var hostile = []string{
	"\x1b[2J", "=HYPERLINK(\"x\")", "<!channel>", "{{ . }}", `"><script>`, "\u202etxt.exe",
	"'", "''", `\'`, `\`, `\\`, "' OR 1=1 --", "'; DROP TABLE audit_events; --", "%", "_", "*", "a*",
	"{p0:String}", "{cluster:String}", "$1", "?", "@name", "\x00", "a\x00b", "\t", "\n", "\r\n", `\n`, `\N`, "NULL",
	"\\x41", "\u00e9", "e\u0301", "\U0001f4a3", "\ufffd", " ", "  trailing  ", "[]", "['a']", "(1,2)", "&p0=x", "#", "/", "..", "%00", "%2f",
	strings.Repeat("long", 2000),
}

// clusterNamed returns a text as a cluster's name, as long as one may be.
func clusterNamed(text string) audit.ClusterID { return audit.ClusterID(text[:min(len(text), 63)]) }

// Whatever a client writes is stored as it is and found by itself alone.
func TestHostileText(t *testing.T) {
	h := newHarness(t, engine(t))
	log := newFakeLog()
	for _, text := range hostile {
		q := quote(text)
		item := `{"level":"Metadata","auditID":` + q + `,"stage":` + q + `,"requestURI":` + q + `,"verb":` + q +
			`,"user":{"username":` + q + `,"uid":` + q + `,"groups":[` + q + `,` + q + `],"extra":{` + q + `:[` + q + `]}}` +
			`,"impersonatedUser":{"username":` + q + `,"groups":[` + q + `],"extra":{` + q + `:[]}}` +
			`,"sourceIPs":[` + q + `],"userAgent":` + q +
			`,"objectRef":{"resource":` + q + `,"subresource":` + q + `,"namespace":` + q + `,"name":` + q + `,"uid":` + q + `,"apiGroup":` + q + `}` +
			`,"responseStatus":{"code":-1,"status":` + q + `,"reason":` + q + `,"message":` + q + `}` +
			`,"requestObject":{` + q + `:` + q + `},"responseObject":` + q +
			`,"requestReceivedTimestamp":"2026-11-21T12:00:00.000000Z","stageTimestamp":"2026-11-21T12:00:00.000000Z"` +
			`,"annotations":{` + q + `:` + q + `}}`
		log.append(noon, eventRecord(t, clusterNamed(text), []byte(item), noon))
	}
	h.consume(log, (*Store).WriteEvents)
	if got := h.all(query.Events{Limit: query.MaxLimit}); len(got) != len(hostile) {
		t.Errorf("%d events are stored, want %d", len(got), len(hostile))
	}
	h.checkHashes()
	for _, text := range hostile {
		if strings.HasSuffix(text, "*") {
			continue // a prefix
		}
		one := []string{text}
		resource := one
		if r, _, found := strings.Cut(text, "/"); found || r == "" {
			resource = nil
		}
		for name, q := range map[string]query.Events{
			"cluster":   {Clusters: []string{string(clusterNamed(text))}},
			"allowed":   {Allowed: []audit.ClusterID{clusterNamed(text)}},
			"user":      {Users: one},
			"verb":      {Verbs: one},
			"namespace": {Namespaces: one},
			"name":      {Names: one},
			"audit_id":  {AuditIDs: one},
			"stage":     {Stages: one},
			"resource":  {Resources: resource, Names: one},
		} {
			if resource != nil && name == "resource" {
				q.Resources = []string{text + "/" + text}
			}
			got := h.all(q)
			if len(got) != 1 || got[0].Event.AuditID != text {
				t.Errorf("%s %.40q: got %.40q", name, text, auditIDs(got))
			}
		}
		if got := h.all(query.Events{Users: []string{text + "*"}}); !slices.Contains(auditIDs(got), text) {
			t.Errorf("users by prefix %.40q: got %.40q", text, auditIDs(got))
		}
	}
}
