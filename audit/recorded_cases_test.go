package audit

import (
	"strings"
	"testing"
)

// everyRecorded returns the events of all recordings, log lines first.
func everyRecorded(tb testing.TB) []*Event {
	tb.Helper()
	var events []*Event
	for _, name := range []string{"attack-window.mixed.jsonl.zst", "benign.jsonl.zst"} {
		for _, line := range recorded(tb, name) {
			events = append(events, mustScan(tb, string(line)))
		}
	}
	return append(events, everyPosted(tb)...)
}

func everyPosted(tb testing.TB) []*Event {
	tb.Helper()
	var events []*Event
	for _, body := range posts(tb) {
		s := NewSplitterBytes(body, SplitLimits{})
		for item, err := s.Next(); err == nil; item, err = s.Next() {
			events = append(events, mustScan(tb, string(item)))
		}
	}
	return events
}

// What real API servers do and readers forget: each case is in the recordings
// and reads as it should.
func TestRecordedCases(t *testing.T) {
	events := everyRecorded(t)
	f := func(name string, is func(*Event) bool, check func(*Event) bool) {
		t.Helper()
		n := 0
		for _, e := range events {
			if !is(e) {
				continue
			}
			n++
			if !check(e) {
				t.Errorf("%s reads wrong: %s", name, AppendJSON(nil, e))
				return
			}
		}
		if n == 0 {
			t.Errorf("%s: no such event is in the recordings", name)
		}
	}
	f("401 is known by ResponseStarted only, without a user",
		func(e *Event) bool { return e.ResponseStatus.Code == 401 },
		func(e *Event) bool {
			return e.Stage == StageResponseStarted && e.User.Username == "" && len(e.User.Groups) == 0 && e.Has(FieldResponseStatus)
		})
	f("exec by WebSocket",
		func(e *Event) bool { return e.ObjectRef.Subresource == "exec" && e.Verb == "get" },
		func(e *Event) bool { return strings.Contains(e.RequestURI, "/exec?") && e.RequestObject == nil })
	f("percent-encoded path",
		func(e *Event) bool {
			path, _, _ := strings.Cut(e.RequestURI, "?")
			return strings.Contains(path, "%") && e.Has(FieldObjectRef)
		},
		func(e *Event) bool { return !strings.Contains(e.ObjectRef.Resource, "%") })
	f("no objectRef",
		func(e *Event) bool { return !e.Has(FieldObjectRef) },
		func(e *Event) bool { return e.ObjectRef == ObjectRef{} && e.RequestURI != "" })
	f("JSON patch",
		func(e *Event) bool { return strings.HasPrefix(string(e.RequestObject), "[") },
		func(e *Event) bool { return e.Verb == "patch" && strings.Contains(string(e.RequestObject), `"op"`) })
	f("NUL in a name",
		func(e *Event) bool { return strings.Contains(e.ObjectRef.Name, "\x00") },
		func(e *Event) bool { return strings.HasPrefix(e.ObjectRef.Name, "db-creds\x00") })
	f("no Unicode in a name",
		func(e *Event) bool { return strings.Contains(e.ObjectRef.Name, "\ufffd") },
		func(e *Event) bool { return strings.Contains(e.RequestURI, "%ff") })
	f("impersonation",
		func(e *Event) bool { return e.Has(FieldImpersonatedUser) },
		func(e *Event) bool {
			return e.ImpersonatedUser.Username != "" && e.User.Username != e.ImpersonatedUser.Username
		})
	f("RequestReceived",
		func(e *Event) bool { return e.Stage == StageRequestReceived },
		func(e *Event) bool { return !e.Has(FieldResponseStatus) && e.Annotations == nil })
}

// The stages of one request are different events with one request id; a batch
// that an API server sent again holds the same events.
func TestRecordedStagesAndRetries(t *testing.T) {
	stages := map[RequestID]map[string]EventID{}
	retried, joined := 0, 0
	for _, e := range everyPosted(t) {
		request, id := e.RequestID("c"), e.ID("c")
		if stages[request] == nil {
			stages[request] = map[string]EventID{}
		}
		switch before, seen := stages[request][e.Stage]; {
		case seen && before != id:
			t.Fatalf("two events of one stage of one request: %s", AppendJSON(nil, e))
		case seen:
			retried++
		}
		stages[request][e.Stage] = id
	}
	for _, ids := range stages {
		if received, complete := ids[StageRequestReceived], ids[StageResponseComplete]; received != complete && received != (EventID{}) && complete != (EventID{}) {
			joined++
		}
	}
	if retried == 0 || joined == 0 {
		t.Errorf("%d events came twice, %d requests were seen at two stages, want some of each", retried, joined)
	}
}

// Events that were recorded both from the webhook and from the log file.
func TestRecordedTwice(t *testing.T) {
	// By auditID alone they cannot be found: the recordings hold an attacker who
	// gave several requests the same.
	type key struct {
		request RequestID
		stage   string
	}
	lines := map[key]EventID{}
	for _, name := range []string{"attack-window.mixed.jsonl.zst", "benign.jsonl.zst"} {
		for _, line := range recorded(t, name) {
			e := mustScan(t, string(line))
			lines[key{e.RequestID("c"), e.Stage}] = e.ID("c")
		}
	}
	both := 0
	for _, e := range everyPosted(t) {
		id, ok := lines[key{e.RequestID("c"), e.Stage}]
		if !ok {
			continue
		}
		both++
		if id != e.ID("c") {
			t.Fatalf("the event has another id in the log: %s", AppendJSON(nil, e))
		}
	}
	if both == 0 {
		t.Error("no event was recorded twice")
	}
	t.Logf("%d events exist as an item of a POST and as a log line", both)
}
