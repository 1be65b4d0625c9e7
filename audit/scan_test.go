package audit

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	kjson "sigs.k8s.io/json"
)

// sameEvent compares events; an empty list is as good as none.
var sameEvent = []cmp.Option{cmp.AllowUnexported(Event{}), cmpopts.EquateEmpty()}

// checkAgainstServer compares what Scan reads in item with what the API
// server's reader does.
func checkAgainstServer(t *testing.T, item []byte) {
	t.Helper()
	var want auditv1.Event
	wantErr := kjson.UnmarshalCaseSensitivePreserveInts(item, &want)
	var got Event
	err := Scan(item, &got)
	if err == nil && isTooDeep(wantErr) {
		return // TestScanDeepBodies
	}

	var broken *ItemError
	if err != nil && (!errors.As(err, &broken) || broken.Reason == "") {
		t.Fatalf("Scan's error %v is no *ItemError with a reason", err)
	}
	isObject := strings.HasPrefix(strings.TrimLeft(string(item), " \t\r\n"), "{")
	switch refuse := wantErr != nil || !isObject || want.Kind != "" && want.Kind != "Event"; {
	case refuse != (err != nil):
		t.Fatalf("Scan: %v, the API server's reader: %v (kind %q)\n%.2000s", err, wantErr, want.Kind, item)
	case refuse:
		return
	}

	encoded := AppendJSON(nil, &got)
	var again auditv1.Event
	if err := kjson.UnmarshalCaseSensitivePreserveInts(encoded, &again); err != nil {
		t.Fatalf("the API server's reader on AppendJSON: %v\n%s", err, encoded)
	}
	want.Kind, want.APIVersion = "Event", "audit.k8s.io/v1"
	if diff := cmp.Diff(&want, &again, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("Scan means something else (-server +klaxon):\n%s\nitem %s", diff, item)
	}

	var rescanned, slow Event
	if err := Scan(encoded, &rescanned); err != nil {
		t.Fatalf("Scan(AppendJSON): %v\n%s", err, encoded)
	}
	if diff := cmp.Diff(&got, &rescanned, sameEvent...); diff != "" {
		t.Fatalf("Scan(AppendJSON) differs:\n%s\nitem    %s\nencoded %s", diff, item, encoded)
	}
	if err := scanSlowly(item, &slow); err != nil {
		t.Fatalf("scanSlowly: %v", err)
	}
	for _, other := range []*Event{&rescanned, &slow} {
		if got.ID("c") != other.ID("c") || got.RequestID("c") != other.RequestID("c") {
			t.Fatalf("one event, two identities\nitem %s", item)
		}
	}
}

func TestScanRecorded(t *testing.T) {
	for _, line := range recorded(t, "attack-labelled.jsonl.zst") {
		checkAgainstServer(t, line)
		checkAgainstServer(t, []byte(asPosted(line)))
	}
}

// A recorded line must never need the slow way: that would be a way to slow
// everything down, and a sign that the scanner misses an ordinary form.
func TestScanRecordedInOnePass(t *testing.T) {
	var e Event
	for _, name := range []string{"attack-window.mixed.jsonl.zst", "benign.jsonl.zst"} {
		for _, line := range recorded(t, name) {
			if n := scanQuickly(line, &e); n != len(line) {
				t.Fatalf("%s: one pass reads %d of %d bytes of %s", name, n, len(line), line)
			}
			// What was no Unicode is read as U+FFFD, which needs no escape.
			line = bytes.ReplaceAll(line, []byte(`\ufffd`), []byte("\ufffd"))
			if got := AppendJSON(nil, &e); string(got) != string(line) {
				t.Fatalf("AppendJSON differs from the log:\n%s\n%s", got, line)
			}
		}
	}
}

// oddItems are events out of the ordinary, each a way in which readers differ.
var oddItems = []string{
	`{}`, ` {} `, `null`, `[]`, `"x"`, `1`, ``, `{`, `}`, `{}}`, `{} {}`, `{,}`, `{"a"}`, `{"a":}`, `{"a":1,}`,
	`{"verb":"get","verb":"delete"}`,
	`{"verb":"delete","Verb":"get"}`,
	`{"ver\u0062":"get"}`,
	`{"verb":null}`, `{"verb":"get","verb":null}`, `{"verb":1}`, `{"verb":["get"]}`, `{"verb":{}}`, `{"verb":true}`,
	`{"verb":"a\u0000b"}`, "{\"verb\":\"a\x00b\"}", "{\"verb\":\"a\xffb\"}", "{\"v\xffrb\":\"a\"}", "{\"verb\":\"\xed\xa0\x80\"}",
	`{"verb":"\ud800"}`, `{"verb":"\ud83d\ude00"}`, `{"verb":"\ud800\u0041"}`, `{"verb":"\udc00\ud800"}`, `{"verb":"\ud800\n"}`,
	`{"verb":"\x"}`, `{"verb":"\u12"}`, `{"verb":"\/\b\f\n\r\t\"\\"}`, `{"verb":"\'"}`, `{"verb":"é€😀"}`,
	"{\"verb\":\"a\tb\"}", "\ufeff{}", "{\"verb\":\"a\u2028<&>\"}",
	`{"user":null}`, `{"user":{"username":"a"},"user":{"uid":"b"}}`, `{"user":{"username":"a"},"user":null}`,
	`{"user":{"groups":["a","b"]},"user":{"groups":["c"]}}`, `{"user":{"groups":null}}`, `{"user":{"groups":[null,"a"]}}`,
	`{"user":{"groups":["a","b"],"groups":[null]}}`,
	`{"user":{"extra":{"a":["1"],"a":["2","3"]}}}`, `{"user":{"extra":{"a":null,"b":[],"c":[null]}}}`,
	`{"user":{"extra":{"b":["1"]}},"user":{"extra":{"a":["2"]}}}`, `{"user":{"extra":[]}}`, `{"user":[]}`,
	`{"user":{"x":1,"username":"a"},"user":{"x":2,"y":[1, 2]}}`,
	`{"impersonatedUser":{}}`, `{"impersonatedUser":null}`, `{"impersonatedUser":{"username":"a","z":1},"impersonatedUser":null}`,
	`{"impersonatedUser":{"username":"a"},"impersonatedUser":null,"impersonatedUser":{"uid":"b"}}`,
	`{"authenticationMetadata":{}}`, `{"authenticationMetadata":{"impersonationConstraint":"c","other":"d"}}`,
	`{"sourceIPs":[]}`, `{"sourceIPs":null}`, `{"sourceIPs":["a"],"sourceIPs":null}`, `{"sourceIPs":["a",]}`, `{"sourceIPs":"a"}`,
	`{"objectRef":{}}`, `{"objectRef":null}`, `{"objectRef":{"name":"a","name":null,"x":null}}`, `{"objectRef":{"apiGroup":1}}`,
	`{"responseStatus":{}}`, `{"responseStatus":{"metadata":{}}}`, `{"responseStatus":{"metadata":{"resourceVersion":"1"}}}`,
	`{"responseStatus":{"metadata":{ }}}`, `{"responseStatus":{"metadata":null}}`, `{"responseStatus":{"metadata":[]}}`,
	`{"responseStatus":{"metadata":{"remainingItemCount":"x"}}}`,
	`{"responseStatus":{"kind":"Status","apiVersion":"v1"}}`, `{"responseStatus":{"kind":1}}`,
	`{"responseStatus":{"code":404}}`, `{"responseStatus":{"code":0}}`, `{"responseStatus":{"code":-1}}`, `{"responseStatus":{"code":04}}`,
	`{"responseStatus":{"code":2147483647}}`, `{"responseStatus":{"code":2147483648}}`, `{"responseStatus":{"code":1e2}}`,
	`{"responseStatus":{"code":200.0}}`, `{"responseStatus":{"code":"200"}}`, `{"responseStatus":{"code":null}}`, `{"responseStatus":{"code":}}`,
	`{"responseStatus":{"details":{"name":"a","causes":[{"reason":"r","message":"m","field":"f","x":1}],"retryAfterSeconds":3,"y":{}}}}`,
	`{"responseStatus":{"details":null}}`, `{"responseStatus":{"details":{"causes":[null]}}}`, `{"responseStatus":{"details":{"causes":{}}}}`,
	`{"responseStatus":{"details":{"name":1}}}`, `{"responseStatus":{"details":{"retryAfterSeconds":99999999999}}}`,
	`{"responseStatus":{"details":{"name":"a"},"details":{"kind":"b"}}}`, `{"responseStatus":{"details":{"name":"a"},"details":null}}`,
	`{"responseStatus":{"details":{"name":"a"}},"responseStatus":null,"responseStatus":{"code":1}}`,
	`{"requestObject":null}`, `{"requestObject":[]}`, `{"requestObject":"a"}`, `{"requestObject":1e400}`, `{"requestObject": {"a" : 1} }`,
	`{"requestObject":{"a":1},"requestObject":{"b":2}}`, `{"requestObject":{"a":1},"requestObject":null}`,
	`{"requestObject":123456789012345678901234567890123456789012345678901234567890.5E+99}`, `{"requestObject":tru}`, `{"requestObject":-}`,
	`{"requestObject":01}`, `{"requestObject":1.}`, `{"requestObject":.5}`, `{"requestObject":1e}`, `{"requestObject":nul}`, `{"requestObject":-0}`,
	`{"stageTimestamp":null}`, `{"stageTimestamp":"2026-11-21T03:00:25.475881Z"}`, `{"stageTimestamp":"2026-11-21T03:00:25.475881+02:00"}`,
	`{"stageTimestamp":"2026-11-21T03:00:25Z"}`, `{"stageTimestamp":"2026-11-21T03:00:25.47588100Z"}`, `{"stageTimestamp":"2026-11-21T03:00:25,475881Z"}`,
	`{"stageTimestamp":"2026-02-29T03:00:25.475881Z"}`, `{"stageTimestamp":"2024-02-29T03:00:25.475881Z"}`, `{"stageTimestamp":"2026-11-31T03:00:25.475881Z"}`,
	`{"stageTimestamp":"2026-00-10T03:00:25.475881Z"}`, `{"stageTimestamp":"2026-11-21T24:00:00.000000Z"}`, `{"stageTimestamp":"2026-11-21T23:59:60.000000Z"}`,
	`{"stageTimestamp":"0000-01-01T00:00:00.000000+23:59"}`, `{"stageTimestamp":"9999-12-31T23:59:59.999999-23:59"}`,
	`{"stageTimestamp":"0001-01-01T00:00:00.000000Z"}`, `{"stageTimestamp":"0000-01-01T00:00:00.000000Z"}`, `{"stageTimestamp":1}`, `{"stageTimestamp":""}`,
	`{"stageTimestamp":"2026-11-21T03:00:25.475881z"}`, `{"stageTimestamp":"2026-11-21t03:00:25.475881Z"}`, `{"requestReceivedTimestamp":{}}`,
	`{"stageTimestamp":"2026-11-21T3:00:25.475881Z"}`, `{"stageTimestamp":"2026-11-21T03:00:25.475881\u005a"}`,
	`{"annotations":{"a":"1","a":"2"}}`, `{"annotations":{"a":"1","a":null}}`, `{"annotations":null}`, `{"annotations":{"b":"1","a":"2"}}`, `{"annotations":{"a":1}}`,
	`{"kind":"Event"}`, `{"kind":"Policy"}`, `{"kind":""}`, `{"kind":null}`, `{"kind":1}`, `{"kind":"Policy","kind":"Event"}`, `{"apiVersion":"v9"}`,
	`{"z":1,"a":{"b" : "\u0041"},"z":2,"user":{"q":"<"}}`, `{"":1}`, `{"user":{"":1},"":{"":2}}`,
}

func TestScanOdd(t *testing.T) {
	for _, item := range oddItems {
		t.Run(item, func(t *testing.T) { checkAgainstServer(t, []byte(item)) })
	}
}

func TestScanDepth(t *testing.T) {
	f := func(name string, member func(depth int) string) {
		t.Run(name, func(t *testing.T) {
			checkAgainstServer(t, []byte(member(MaxDepth)))
			if e := mustScan(t, member(MaxDepth)); e == nil {
				t.Fatal("nothing was scanned")
			}
			tooDeep := []byte(member(MaxDepth + 1))
			checkAgainstServer(t, tooDeep)
			var broken *ItemError
			if err := Scan(tooDeep, new(Event)); !errors.As(err, &broken) || broken.Reason != ReasonDepth {
				t.Fatalf("Scan one deeper than %d: %v, want reason %s", MaxDepth, err, ReasonDepth)
			}
		})
	}
	lists := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	objects := func(n int) string { return strings.Repeat(`{"":`, n) + "1" + strings.Repeat("}", n) }
	f("unknown member", func(n int) string { return `{"x":` + lists(n-1) + `}` })
	f("unknown member of user", func(n int) string { return `{"user":{"x":` + objects(n-2) + `}}` })
	f("details", func(n int) string { return `{"responseStatus":{"details":{"x":` + lists(n-3) + `}}}` })
}

// A body may be as deep as an API server takes it: who sends it does not keep its
// event from being read, redacted and identified, in whatever spelling.
func TestScanDeepBodies(t *testing.T) {
	r := testReducer(t, DefaultEventBytes)
	f := func(name, body, tooDeep string) {
		t.Helper()
		for _, form := range []string{`{"verb":"patch","requestObject":@}`, `{"verb":"x","verb":"patch","requestObject":{},"requestObject":@,"unknown":[1]}`} {
			item := strings.ReplaceAll(form, "@", body)
			e := mustScan(t, item)
			if e.Verb != "patch" || string(e.RequestObject) != body || e.ResponseObject != nil {
				t.Errorf("%s: verb %q, %d bytes of body", name, e.Verb, len(e.RequestObject))
			}
			if again := mustScan(t, string(AppendJSON(nil, e))); again.ID("c") != e.ID("c") {
				t.Errorf("%s: written and read again, it is another event", name)
			}
			if _, how, err := r.Reduce([]byte(item), e); err != nil || how != NotReduced || len(e.RequestObject) < len(body) {
				t.Errorf("%s: reduced by %q to %d bytes of %d, %v", name, how, len(e.RequestObject), len(body), err)
			}
			var broken *ItemError
			if err := Scan([]byte(strings.ReplaceAll(form, "@", tooDeep)), new(Event)); !errors.As(err, &broken) || broken.Reason != ReasonDepth {
				t.Errorf("%s, too deep: %v", name, err)
			}
		}
	}
	lists := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	objects := func(n int) string { return strings.Repeat(`{"":`, n) + `"https://u:p@h"` + strings.Repeat("}", n) }
	f("lists", lists(MaxDepth), lists(MaxDepth+1))
	f("objects", objects(MaxDepth), objects(MaxDepth+1))
}

// The limits that keep one pass linear must not change the meaning.
func TestScanManyKeys(t *testing.T) {
	var b strings.Builder
	for i := range 3 * maxKeys {
		b.WriteString(`,"k` + strings.Repeat("x", i) + `":"v"`)
	}
	keys := b.String()[1:]
	checkAgainstServer(t, []byte(`{"annotations":{`+keys+`}}`))
	checkAgainstServer(t, []byte(`{"user":{"extra":{`+strings.ReplaceAll(keys, `"v"`, `["v"]`)+`}}}`))
	if e := mustScan(t, `{"annotations":{`+keys+`}}`); len(e.Annotations) != 3*maxKeys {
		t.Fatalf("%d annotations, want %d", len(e.Annotations), 3*maxKeys)
	}
}

func TestScanFields(t *testing.T) {
	item := `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Request","auditID":"i","stage":"Panic","requestURI":"/a?b=1\u0026c=2","verb":"get",` +
		`"user":{"username":"u","uid":"1","groups":["g","h"],"extra":{"k":["v","w"]}},"impersonatedUser":{"username":"j"},` +
		`"authenticationMetadata":{"impersonationConstraint":"c"},"sourceIPs":["::1"],"userAgent":"x",` +
		`"objectRef":{"resource":"r","namespace":"ns","name":"n","uid":"2","apiGroup":"g","apiVersion":"v1","resourceVersion":"3","subresource":"s"},` +
		`"responseStatus":{"metadata":{},"status":"Failure","message":"m","reason":"Forbidden","details":{"name":"n"},"code":403},` +
		`"requestObject":{"a": 1.50},"responseObject":[1],"requestReceivedTimestamp":"2026-11-21T03:00:25.000001Z",` +
		`"stageTimestamp":"2026-11-21T03:00:26.000002Z","annotations":{"b":"2","a":"1"},"new":[true]}`
	want := &Event{
		Level: LevelRequest, AuditID: "i", Stage: StagePanic, RequestURI: "/a?b=1&c=2", Verb: "get",
		User:             User{Username: "u", UID: "1", Groups: []string{"g", "h"}, Extra: []Extra{{Key: "k", Values: []string{"v", "w"}}}},
		ImpersonatedUser: User{Username: "j"}, ImpersonationConstraint: "c",
		SourceIPs: []string{"::1"}, UserAgent: "x",
		ObjectRef:       ObjectRef{Resource: "r", Namespace: "ns", Name: "n", UID: "2", APIGroup: "g", APIVersion: "v1", ResourceVersion: "3", Subresource: "s"},
		ResponseStatus:  ResponseStatus{Code: 403, Status: "Failure", Reason: "Forbidden", Message: "m"},
		RequestObject:   []byte(`{"a": 1.50}`),
		ResponseObject:  []byte(`[1]`),
		RequestReceived: time.Date(2026, 11, 21, 3, 0, 25, 1000, time.UTC),
		StageTime:       time.Date(2026, 11, 21, 3, 0, 26, 2000, time.UTC),
		Annotations:     Pairs{{"b", "2"}, {"a", "1"}},
		Rest:            []byte(`{"new":[true],"responseStatus":{"details":{"name":"n"}}}`),
		present:         FieldObjectRef | FieldResponseStatus | FieldImpersonatedUser | FieldAuthenticationMetadata,
	}
	if diff := cmp.Diff(want, mustScan(t, item), sameEvent...); diff != "" {
		t.Error(diff)
	}
}

func TestScanErrorNamesField(t *testing.T) {
	f := func(item, reason, field string) {
		t.Helper()
		var broken *ItemError
		if err := Scan([]byte(item), new(Event)); !errors.As(err, &broken) {
			t.Fatalf("Scan(%s) = %v, want an *ItemError", item, err)
		}
		if broken.Reason != reason || broken.Field != field || string(broken.Item) != item {
			t.Errorf("Scan(%s): reason %q field %q, want %q %q", item, broken.Reason, broken.Field, reason, field)
		}
		if strings.Contains(broken.Error(), "canary") {
			t.Errorf("the error quotes a value: %v", broken)
		}
	}
	f(`{"verb":{"canary":1}}`, ReasonType, "verb")
	f(`{"user":{"groups":["canary",2]}}`, ReasonType, "user.groups")
	f(`{"responseStatus":{"code":"canary"}}`, ReasonType, "responseStatus.code")
	f(`{"stageTimestamp":"canary"}`, ReasonType, "stageTimestamp")
	f(`{"requestReceivedTimestamp":"canary"}`, ReasonType, "requestReceivedTimestamp")
	f(`{"stageTimestamp":7}`, ReasonType, "stageTimestamp")
	f(`{"kind":"canary"}`, ReasonKind, "kind")
	f(`"canary"`, ReasonType, "")
	f(`{"canary"}`, ReasonSyntax, "")
}

func TestScanReusesLists(t *testing.T) {
	lines := recorded(t, "attack-labelled.jsonl.zst")
	var reused Event
	for _, line := range slices.Concat(lines, lines[:50]) {
		if err := Scan(line, &reused); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(mustScan(t, string(line)), &reused, sameEvent...); diff != "" {
			t.Fatalf("a used Event reads differently:\n%s", diff)
		}
	}
	if err := Scan([]byte("nonsense"), &reused); err == nil {
		t.Fatal("nonsense was read")
	}
	if diff := cmp.Diff(&Event{}, &reused, sameEvent...); diff != "" {
		t.Fatalf("after an error the event is not empty:\n%s", diff)
	}
}

func FuzzScan(f *testing.F) {
	for _, item := range oddItems {
		f.Add([]byte(item))
	}
	for i, line := range recorded(f, "attack-labelled.jsonl.zst") {
		if i%20 == 0 {
			f.Add(line)
		}
	}
	f.Fuzz(checkAgainstServer)
}
