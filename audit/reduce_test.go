package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func testReducer(tb testing.TB, limit int) *Reducer {
	tb.Helper()
	r, err := NewReducer(testRedactor(tb), limit)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// reduced reduces an item and checks what holds of every result: it is within
// the limit, an event, what e says, and reduced no further a second time.
func reduced(tb testing.TB, r *Reducer, item string) (*Event, Reduction) {
	tb.Helper()
	e := mustScan(tb, item)
	text, how, err := r.Reduce([]byte(item), e)
	if err != nil {
		tb.Fatalf("Reduce(%.200s): %v", item, err)
	}
	if len(text) > r.limit {
		tb.Errorf("%d bytes, more than %d: %.200s", len(text), r.limit, text)
	}
	if !json.Valid(text) {
		tb.Errorf("not JSON: %.500s", text)
	}
	if diff := cmp.Diff(mustScan(tb, string(text)), e, sameEvent...); diff != "" {
		tb.Errorf("the event is not that of its JSON (-JSON +event):\n%s", diff)
	}
	again := mustScan(tb, string(text))
	twice, more, err := r.Reduce(bytes.Clone(text), again)
	if err != nil || more != NotReduced || !bytes.Equal(twice, text) {
		tb.Errorf("reduced again: %q, %v:\n%.500s\nis not\n%.500s", more, err, twice, text)
	}
	return e, how
}

// large is an event as an API server posts it, with members of its own.
func large(members string) string {
	return `{"level":"RequestResponse","auditID":"a","stage":"ResponseComplete","requestURI":"/api/v1/pods","verb":"create",` +
		`"user":{"username":"alice","groups":["g"]},"sourceIPs":["192.0.2.1"],"userAgent":"kubectl",` +
		`"objectRef":{"resource":"pods","namespace":"default","name":"p","apiVersion":"v1"},"responseStatus":{"metadata":{},"code":201},` +
		`"requestReceivedTimestamp":"2026-11-21T02:16:47.703474Z","stageTimestamp":"2026-11-21T02:16:47.709999Z"` + members + `}`
}

func filler(n int) string { return strings.Repeat("x", n) }

func pod(n int) string { return `{"kind":"Pod","metadata":{"name":"` + filler(n) + `"}}` }

func TestReduceBodies(t *testing.T) {
	r := testReducer(t, 100_000)
	f := func(name string, request, response int, want string) {
		t.Helper()
		members := ""
		if request > 0 {
			members += `,"requestObject":` + pod(request)
		}
		if response > 0 {
			members += `,"responseObject":` + pod(response)
		}
		e, how := reduced(t, r, large(members))
		got := fmt.Sprintf("%s %v %v %v", how, e.RequestObject != nil, e.ResponseObject != nil, e.Reduced())
		if got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	f("fits", 40_000, 40_000, " true true []")
	f("the response says more", 60_000, 60_000, "bodies false true [requestObject]")
	f("the request is too large", 200_000, 10, "bodies false true [requestObject]")
	f("the response is too large", 10, 200_000, "bodies true false [responseObject]")
	f("both are", 200_000, 200_000, "bodies false false [requestObject responseObject]")
	f("the only one", 0, 200_000, "bodies false false [responseObject]")
}

func TestReduceStrings(t *testing.T) {
	r := testReducer(t, DefaultEventBytes)
	long := "/" + strings.Repeat("é", 4_000_000)
	item := strings.Replace(large(`,"requestObject":{"a":"b"}`), `"/api/v1/pods"`, `"`+long+`"`, 1)
	e, how := reduced(t, r, item)
	if how != ReducedStrings || e.RequestObject != nil {
		t.Errorf("reduced by %s, request %s", how, e.RequestObject)
	}
	if diff := cmp.Diff(Reduced{"requestObject", "requestURI"}, e.Reduced()); diff != "" {
		t.Error(diff)
	}
	marker := r.redactor.cutMarker([]byte(long), len(long))
	if !strings.HasSuffix(marker, ":8000001") {
		t.Errorf("the marker does not tell the length: %s", marker)
	}
	// The bounds fall into characters: the first part ends before, the last
	// begins after.
	if want := long[:4095] + marker + long[len(long)-4096:]; e.RequestURI != want {
		t.Errorf("got %d bytes\n%.50s…\n%s", len(e.RequestURI), e.RequestURI, e.RequestURI[4090:4200])
	}
	if !strings.Contains(string(e.Rest), `"requestURI":"`+marker+`"`) {
		t.Errorf("rest is %s", e.Rest)
	}
	if e.Verb != "create" || e.UserAgent != "kubectl" || e.ObjectRef.Name != "p" || e.ResponseStatus.Code != 201 {
		t.Errorf("other fields changed: %+v", e)
	}
}

func TestReduceLists(t *testing.T) {
	r := testReducer(t, 100_000)
	var ips, groups, values, keys []string
	for i := range 20_000 {
		ips = append(ips, fmt.Sprintf("%q", fmt.Sprint("10.0.0.", i)))
		groups = append(groups, fmt.Sprintf("%q", fmt.Sprint("group-", i)))
		values = append(values, fmt.Sprintf("%q", fmt.Sprint("value-", i)))
		keys = append(keys, fmt.Sprintf(`"key-%05d":"v"`, 20_000-i)) // not in order
	}
	item := strings.Replace(large(`,"annotations":{`+strings.Join(keys, ",")+`}`), `["192.0.2.1"]`, "["+strings.Join(ips, ",")+"]", 1)
	item = strings.Replace(item, `"groups":["g"]`, `"groups":[`+strings.Join(groups, ",")+`],"extra":{"many":[`+strings.Join(values, ",")+`],"one":["v"]}`, 1)
	e, how := reduced(t, r, item)
	if how != ReducedLists {
		t.Errorf("reduced by %s", how)
	}
	if diff := cmp.Diff(Reduced{"annotations", "sourceIPs", "user.extra.many", "user.groups"}, e.Reduced()); diff != "" {
		t.Error(diff)
	}
	if n := len(e.SourceIPs); n != 64 || e.SourceIPs[62] != "10.0.0.62" || e.ClientIP() != "10.0.0.19999" {
		t.Errorf("%d addresses, the last %s", n, e.ClientIP())
	}
	if len(e.User.Groups) != 64 || len(e.Annotations) != 64 || e.Annotations[0].Key != "key-00001" || e.Annotations[63].Key != "key-00064" {
		t.Errorf("%d groups, annotations %v", len(e.User.Groups), e.Annotations)
	}
	if len(e.User.Extra) != 2 || len(e.User.Extra[0].Values) != 64 || len(e.User.Extra[1].Values) != 1 {
		t.Errorf("extra %v", e.User.Extra)
	}
	if !strings.Contains(string(e.Rest), `:20000"`) {
		t.Errorf("the number of items is not told: %s", e.Rest)
	}
}

// Every field at its worst comes down to the least limit: each byte of it is
// written as six.
func TestReduceAlwaysFits(t *testing.T) {
	worst := strings.Repeat("&", 70_000)
	e := Event{
		Level: worst, AuditID: worst, Stage: worst, RequestURI: worst, Verb: worst, UserAgent: worst,
		User:                    User{Username: worst, UID: worst, Groups: []string{worst, worst}, Extra: []Extra{{worst, []string{worst, worst}}, {worst + "b", nil}}},
		ImpersonatedUser:        User{Username: worst, UID: worst, Groups: []string{worst, worst}, Extra: []Extra{{worst, []string{worst, worst}}, {worst + "b", nil}}},
		ImpersonationConstraint: worst, SourceIPs: []string{worst, worst},
		ObjectRef:      ObjectRef{worst, worst, worst, worst, worst, worst, worst, worst},
		ResponseStatus: ResponseStatus{-1 << 31, worst, worst, worst},
		RequestObject:  []byte(`"` + worst + `"`), ResponseObject: []byte(`"` + worst + `"`),
		Annotations: Pairs{{worst, worst}, {worst + "b", worst}},
		Rest:        []byte(`{"` + worst + `":"` + worst + `"}`),
	}
	e.SetPresent(FieldObjectRef | FieldResponseStatus | FieldImpersonatedUser | FieldAuthenticationMetadata)
	got, how := reduced(t, testReducer(t, MinEventBytes), string(AppendJSON(nil, &e)))
	if how != ReducedMore || len(got.Reduced()) < 30 {
		t.Errorf("reduced by %s: %v", how, got.Reduced())
	}
}

// An item that is longer than the limit only by how it is written is written
// anew, and nothing of it is left out.
func TestReduceSpelling(t *testing.T) {
	body := `{"a":"` + strings.Repeat(`<`, 10_000) + `"}`
	item := large(`,"requestObject":` + strings.ReplaceAll(body, "<", `\u003c`) + strings.Repeat(" ", 70_000))
	r := testReducer(t, MinEventBytes)
	e, how := reduced(t, r, item)
	if how != NotReduced || string(e.RequestObject) != body {
		t.Errorf("reduced by %q: %.100s", how, e.RequestObject)
	}
	if e.ID("c") != mustScan(t, item).ID("c") {
		t.Error("the id has changed")
	}
}

// One event is reduced in one way, however it came: as an item, as a line of the
// log, written in another way.
func TestReduceIdentity(t *testing.T) {
	redactor := testRedactor(t)
	f := func(name, item string) {
		t.Helper()
		var want EventID
		line := `{"kind":"Event","apiVersion":"audit.k8s.io/v1",` + item[1:]
		for limit := 0; limit < 2; limit++ {
			for i, spelling := range []string{item, line, string(AppendJSON(nil, mustScan(t, item))), respelled(t, item)} {
				// The limit lies between the lengths of the first two.
				r := &Reducer{redactor: redactor, limit: len(item) + 20*limit}
				e := mustScan(t, spelling)
				if _, _, err := r.Reduce([]byte(spelling), e); err != nil {
					t.Fatalf("%s, %d: %v", name, i, err)
				}
				if got := e.ID("c"); i == 0 {
					want = got
				} else if got != want {
					t.Errorf("%s, spelling %d: another id, reduced %v", name, i, e.Reduced())
				}
			}
		}
	}
	f("bodies", large(`,"requestObject":`+pod(40_000)+`,"responseObject":{"a":"<&>"}`))
	f("strings", strings.Replace(large(``), "kubectl", strings.Repeat("k", 70_000), 1))
	f("secrets", strings.Replace(large(`,"responseObject":{"kind":"Secret","data":{"a":"`+strings.Repeat("YWFh", 30_000)+`"}}`), `"pods"`, `"secrets"`, 1))
	f("annotations", large(`,"annotations":{"b":"`+filler(70_000)+`","a":"2"}`))
	f("unknown members", large(`,"new":{"a":"`+filler(70_000)+`"}`))
}

// respelled writes an event with its members in another order and its strings
// in another way.
func respelled(t *testing.T, item string) string {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(item), &members); err != nil {
		t.Fatal(err)
	}
	text, err := json.MarshalIndent(members, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), `\u003c`, "<")
}

func TestReduceTellsEventsApart(t *testing.T) {
	r := testReducer(t, MinEventBytes)
	ids := map[EventID]string{}
	for _, members := range []string{
		`,"requestObject":` + pod(100_000), `,"requestObject":` + pod(100_001), `,"responseObject":` + pod(100_000),
		`,"annotations":{"a":"` + filler(100_000) + `1` + filler(100_000) + `"}`, `,"annotations":{"a":"` + filler(100_000) + `2` + filler(100_000) + `"}`,
		`,"x":"` + filler(100_000) + `1"`, `,"x":"` + filler(100_000) + `2"`,
	} {
		e, _ := reduced(t, r, large(members))
		if other, ok := ids[e.ID("c")]; ok {
			t.Errorf("%.40s and %.40s have one id", members, other)
		}
		ids[e.ID("c")] = members
	}
}

// Secret values are gone before anything is cut: no end of a string shows them.
func TestReduceSecrets(t *testing.T) {
	const canary = "c2VjcmV0LWNhbmFyeQ=="
	r := testReducer(t, MinEventBytes)
	secret := `{"kind":"Secret","data":{"a":"` + canary + `","b":"` + strings.Repeat(canary, 10_000) + `"}}`
	many := `{"kind":"Secret","data":{` + strings.Repeat(`"a":"`+canary+`",`, 20_000) + `"b":"c"}}`
	for name, members := range map[string]string{
		"fits when it is redacted": `,"responseObject":` + secret,
		"grows":                    `,"responseObject":` + many,
		"grows, and another":       `,"requestObject":` + secret + `,"responseObject":` + many,
		"the rest grows":           `,"other":` + many,
		"an annotation":            `,"responseObject":` + secret + `,"annotations":{"patch.webhook.admission.k8s.io/round_0_index_0":"` + canary + filler(100_000) + canary + `"}`,
	} {
		item := strings.Replace(large(members), `"pods"`, `"secrets"`, 1)
		e, how := reduced(t, r, item)
		if text := AppendJSON(nil, e); bytes.Contains(text, []byte(canary)) {
			t.Errorf("%s: the secret is readable: %.500s", name, text)
		}
		if (how == NotReduced) != (name == "fits when it is redacted" || name == "an annotation") {
			t.Errorf("%s: reduced by %q", name, how)
		}
	}
}

// What redaction adds is bounded while it is added.
func TestReduceBoundsRedaction(t *testing.T) {
	item := strings.Replace(large(`,"requestObject":{"kind":"Secret","data":[`+strings.Repeat("1,", 1<<20)+`1]}`), `"pods"`, `"secrets"`, 1)
	r := testReducer(t, MinEventBytes)
	e := mustScan(t, item)
	if _, err := r.redactor.redactWithin([]byte(item), e, r.growth()); err != errOvergrown {
		t.Errorf("got %v, want %v", err, errOvergrown)
	}
	e, how := reduced(t, r, item)
	if how != ReducedBodies || !e.Reduced().Concerns("requestObject") {
		t.Errorf("reduced by %s: %v", how, e.Reduced())
	}
}

func TestReducedMarks(t *testing.T) {
	marker := testRedactor(t).cutMarker([]byte("x"), 1)
	f := func(rest string, want ...string) {
		t.Helper()
		e := Event{Rest: []byte(rest)}
		if diff := cmp.Diff(Reduced(want), e.Reduced()); diff != "" {
			t.Errorf("%s:\n%s", rest, diff)
		}
	}
	f(`{"klaxon.dev/reduced":{"requestURI":"`+marker+`","a":"`+marker+`"}}`, "a", "requestURI")
	f(`{"a":1,"klaxon.dev/reduced":{"requestURI":"`+marker+`"},"z":2}`, "requestURI")
	f(`{"klaxon.dev/reduced":{"requestURI":"x"}}`)
	f(`{"klaxon.dev/reduced":{"requestURI":1}}`)
	f(`{"klaxon.dev/reduced":{}}`)
	f(`{"klaxon.dev/reduced":"` + marker + `"}`)
	f(`{"x":{"klaxon.dev/reduced":{"requestURI":"` + marker + `"}}}`)
	f(`{"user":{"klaxon.dev/reduced":{"requestURI":"` + marker + `"}}}`)
	f(``)

	r := Reduced{"annotations.a/b", "objectRef.name", "user.extra"}
	for path, want := range map[string]bool{
		"annotations": true, "annotations.a/b": true, "annotations.a/c": false, "objectRef.name": true, "objectRef.names": false,
		"objectRef.uid": false, "user.extra.x": true, "user": true, "use": false,
	} {
		if got := r.Concerns(path); got != want {
			t.Errorf("Concerns(%s) is %v", path, got)
		}
	}
}

// Marks that came with an event stay, since they are of what it was.
func TestReduceKeepsMarks(t *testing.T) {
	item := large(`,"requestObject":` + pod(100_000))
	once, _ := reduced(t, testReducer(t, 90_000), item)
	text := AppendJSON(nil, once)
	longer := strings.Replace(string(text), "kubectl", filler(100_000), 1)
	twice, _ := reduced(t, testReducer(t, MinEventBytes), longer)
	if diff := cmp.Diff(Reduced{"requestObject", "userAgent"}, twice.Reduced()); diff != "" {
		t.Error(diff)
	}
	if !bytes.Contains(twice.Rest, once.Rest[len(`{"klaxon.dev/reduced":{`):len(once.Rest)-2]) {
		t.Errorf("the mark %s is not in %s", once.Rest, twice.Rest)
	}
}

func TestNewReducerRefuses(t *testing.T) {
	if _, err := NewReducer(testRedactor(t), MinEventBytes-1); err == nil || !strings.Contains(err.Error(), "65536") {
		t.Errorf("got %v", err)
	}
}

// Recorded events are as they were below the limit; above it what is kept is
// what was recorded.
func TestReduceRecorded(t *testing.T) {
	whole, small := testReducer(t, DefaultEventBytes), &Reducer{redactor: testRedactor(t), limit: 2000}
	count := map[Reduction]int{}
	for _, line := range recorded(t, "attack-window.mixed.jsonl.zst") {
		want := mustScan(t, string(line))
		clean, err := whole.redactor.Redact(line, want)
		if err != nil {
			t.Fatal(err)
		}
		got := mustScan(t, string(line))
		text, how, err := whole.Reduce(line, got)
		if err != nil || how != NotReduced || !bytes.Equal(text, clean) {
			t.Fatalf("reduced by %q, %v: %s", how, err, line)
		}
		got, how = reduced(t, small, asPosted(line))
		count[how]++
		if how != ReducedBodies {
			continue
		}
		if got.RequestObject == nil {
			want.RequestObject = nil
		}
		if got.ResponseObject == nil {
			want.ResponseObject = nil
		}
		want.Rest, got.Rest = nil, nil
		if diff := cmp.Diff(want, got, sameEvent...); diff != "" {
			t.Fatalf("-recorded +reduced:\n%s", diff)
		}
	}
	if count[NotReduced] == 0 || count[ReducedBodies] == 0 {
		t.Errorf("reduced by: %v", count)
	}
}

func FuzzReduce(f *testing.F) {
	f.Add(large(`,"requestObject":`+pod(20)), 70_000, "userAgent")
	f.Add(large(`,"annotations":{"a":"b"},"new":[1,2]`), 300_000, "<&>\u2028")
	f.Add(`{"verb":null,"user":{"groups":["a"],"extra":{"b":["c"]}},"klaxon.dev/reduced":{"a":"b"}}`, 1, "\x00")
	f.Add(`{"objectRef":{"resource":"secrets"},"responseObject":{"kind":"Secret","data":{"a":"b"}}}`, 200_000, "é")
	redactor := testRedactor(f)
	f.Fuzz(func(t *testing.T, item string, n int, s string) {
		// The item's first letter a, where it has one, becomes a long text.
		quoted, err := json.Marshal(strings.Repeat(s, min(max(n, 0), 100_000)/max(len(s), 1)))
		if err != nil {
			t.Fatal(err)
		}
		item = strings.Replace(item, `"a"`, string(quoted), 1)
		var e Event
		if Scan([]byte(item), &e) != nil {
			return
		}
		r := &Reducer{redactor: redactor, limit: MinEventBytes}
		clean, _, err := r.Reduce([]byte(item), &e)
		if err != nil {
			if _, err := redactor.Redact([]byte(item), mustScan(t, item)); err == nil {
				t.Fatalf("what can be redacted cannot be reduced: %v", err)
			}
			return
		}
		want := e.ID("c")
		if got := mustScan(t, string(clean)).ID("c"); got != want {
			t.Errorf("the id is not that of what is kept")
		}
		got, _ := reduced(t, r, string(AppendJSON(nil, mustScan(t, item))))
		if got.ID("c") != want {
			t.Errorf("the event has another id in another spelling: %v", got.Reduced())
		}
	})
}

// Whoever fills the lists of an event with tokens does not keep it from being
// read.
func TestReduceListsOfTokens(t *testing.T) {
	r := testReducer(t, DefaultEventBytes)
	for _, token := range []string{"http://a@", "a://:b@", "eyJaaaaaaaa.."} {
		extra := strings.Repeat(`"`+token+`",`, (2<<20)/len(token))
		e, how := reduced(t, r, `{"impersonatedUser":{"extra":{"x":[`+extra+`"last"]}},"requestObject":{"a":[`+extra+`""]}}`)
		if how != ReducedLists {
			t.Errorf("%s: reduced by %q", token, how)
		}
		if values := e.ImpersonatedUser.Extra[0].Values; len(values) != 64 || values[0] == token || values[63] != "last" {
			t.Errorf("%s: %d values are left: %q", token, len(values), values)
		}
	}
}

// Whoever fills the URI of a request with tokens does not keep the event from
// being read: the URI is cut, nothing else is.
func TestReduceURIOfManyTokens(t *testing.T) {
	r := testReducer(t, DefaultEventBytes)
	f := func(token string, n int, members string, want Reduction, paths ...string) {
		t.Helper()
		uri := "/api/v1/namespaces/a/secrets/b?token=canary&" + strings.Repeat(token, n)
		item := strings.Replace(large(members), `"/api/v1/pods"`, quoted(uri), 1)
		e, how := reduced(t, r, item)
		if how != want {
			t.Errorf("%d of %s: reduced by %q, want %q", n, token, how, want)
		}
		if diff := cmp.Diff(Reduced(paths), e.Reduced()); diff != "" {
			t.Errorf("%d of %s: %s", n, token, diff)
		}
		if e.Verb != "create" || e.ObjectRef.Name != "p" {
			t.Errorf("other fields changed: %+v", e)
		}
		if !strings.HasPrefix(e.RequestURI, "/api/v1/namespaces/a/secrets/b?token="+r.redactor.marker([]byte("canary"))) {
			t.Errorf("the URI begins with %.200s", e.RequestURI)
		}
		if strings.Contains(e.RequestURI, "hunter") {
			t.Errorf("a token is left of %s", token)
		}
	}
	f("token=hunter2&", 900, "", NotReduced)
	for _, token := range []string{
		"token=hunter2&", "password=hunter/2&", "x=eyJhunter.b.c&", "eyJhunter..,", "bearer+hunter&", "bearer+hunter/2,",
	} {
		f(token, 2000, "", ReducedStrings, "requestURI")
		f(token, (1<<20)/len(token), "", ReducedStrings, "requestURI")
		f(token, 2000, `,"requestObject":`+pod(100)+`,"responseObject":`+pod(100), ReducedStrings, "requestURI")
		f(token, 2000, `,"requestObject":`+pod(2_000_000)+`,"responseObject":`+pod(100), ReducedStrings, "requestObject", "requestURI")
	}
}
