package query

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/klaxon-dev/klaxon/audit"
)

// stored returns an event that was read from item.
func stored(t *testing.T, item string) Event {
	t.Helper()
	e := Event{Cluster: "prod", Received: time.Date(2026, 7, 1, 12, 0, 1, 500, time.UTC)}
	if err := audit.Scan([]byte(item), &e.Event); err != nil {
		t.Fatal(err)
	}
	e.ID, e.Request = e.Event.ID(e.Cluster), e.Event.RequestID(e.Cluster)
	return e
}

const plainItem = `{"level":"Request","auditID":"a-1","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/ns/pods?x=1","verb":"create",` +
	`"user":{"username":"jo","groups":["g"]},"sourceIPs":["10.0.0.1"],"objectRef":{"resource":"pods","namespace":"ns","name":"p","apiVersion":"v1"},` +
	`"responseStatus":{"metadata":{},"code":201},"requestObject":{"n":12345678901234567890.10,"html":"<b>&"},` +
	`"requestReceivedTimestamp":"2026-07-01T12:00:00.000000Z","stageTimestamp":"2026-07-01T12:00:00.250000Z","annotations":{"k":"v"},"unknown":[1]}`

func TestEventJSON(t *testing.T) {
	e := stored(t, plainItem)
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"schema": `"klaxon.event/v1"`, "cluster": `"prod"`, "event_id": `"` + e.ID.String() + `"`,
		"request_id": `"` + e.Request.String() + `"`, "received": `"2026-07-01T12:00:01.0000005Z"`,
	} {
		if got := string(members[name]); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	if !bytes.Contains(members["event"], []byte("12345678901234567890.10")) {
		t.Errorf("the body's number was respelled: %s", members["event"])
	}
	checkRoundTrip(t, e, text)
	if _, found := members["time_reason"]; found {
		t.Error("an event whose time is not doubtful has a time_reason")
	}
	e.TimeReason = TimeTooOld
	if text, err = json.Marshal(e); err != nil || !bytes.Contains(text, []byte(`"time_reason":"too_old"`)) {
		t.Errorf("want the reason, got %s, %v", text, err)
	}
	checkRoundTrip(t, e, text)
}

// checkRoundTrip compares all but the bodies' spelling, and by the id that too.
func checkRoundTrip(t *testing.T, want Event, text []byte) {
	t.Helper()
	var got Event
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	clear(text) // what was read must not lie in the caller's memory
	if id := got.Event.ID(got.Cluster); id != want.ID || got.ID != want.ID {
		t.Errorf("the event read has the id %v and says %v, want %v", id, got.ID, want.ID)
	}
	opts := cmp.Options{
		cmpopts.IgnoreFields(audit.Event{}, "RequestObject", "ResponseObject", "Rest"), cmpopts.IgnoreUnexported(audit.Event{}), cmpopts.EquateEmpty(),
	}
	if diff := cmp.Diff(want, got, opts); diff != "" {
		t.Error(diff)
	}
	if want.Event.Present() != got.Event.Present() {
		t.Errorf("got the members %b, want %b", got.Event.Present(), want.Event.Present())
	}
}

func TestEventJSONNestedDeepIsText(t *testing.T) {
	f := func(levels int, want string) {
		t.Helper()
		body := strings.Repeat(`{"[\"":[`, levels/2) + strings.Repeat("]}", levels/2)
		e := stored(t, strings.Replace(plainItem, `{"n":12345678901234567890.10,"html":"<b>&"}`, body, 1))
		text, err := json.Marshal(struct{ Items []Event }{[]Event{e}})
		if err != nil {
			t.Fatal(err)
		}
		var page struct{ Items []json.RawMessage }
		if err := json.Unmarshal(text, &page); err != nil {
			t.Fatal(err)
		}
		var members map[string]json.RawMessage
		if err := json.Unmarshal(page.Items[0], &members); err != nil {
			t.Fatal(err)
		}
		if members[want] == nil || len(members) != 6 {
			t.Errorf("%d levels: there is no %s", levels, want)
		}
		checkRoundTrip(t, e, page.Items[0])
	}
	f(500, "event")
	f(520, "event_text")
	f(9000, "event_text")
}

func TestEventJSONInvalidUTF8(t *testing.T) {
	e := stored(t, strings.Replace(plainItem, "<b>&", "a\xff\xfeb", 1))
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(text, []byte("a\ufffd\ufffdb")) {
		t.Errorf("want one U+FFFD for each byte: %s", text)
	}
	checkRoundTrip(t, e, text)
}

func TestEventJSONRefuses(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		var e Event
		if err := json.Unmarshal([]byte(text), &e); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want an error with %q", text, err, want)
		}
	}
	const ids = `"event_id":"00000000000000000000000000000000","request_id":"00000000000000000000000000000000","received":"2026-07-01T12:00:00Z"`
	f(`{"schema":"klaxon.event/v2"}`, "this klaxon reads klaxon.event/v1")
	f(`{"schema":"klaxon.event/v1",`+ids+`}`, "event 0000")
	f(`{"schema":"klaxon.event/v1",`+ids+`,"event":[]}`, "event 0000")
	f(`{"schema":"klaxon.event/v1","event_id":"xy"}`, "32 hexadecimal digits")
}
