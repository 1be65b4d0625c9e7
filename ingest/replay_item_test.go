package ingest

import (
	"testing"
	"time"

	"github.com/klaxon-dev/klaxon/audit"
)

func TestWebhookItem(t *testing.T) {
	f := func(name, event string, delta time.Duration, want string) {
		t.Helper()
		got, err := WebhookItem([]byte(event), delta)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if string(got) != want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
	}
	f("a log line", `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","x":{"kind":"Pod"}}`, 0,
		`{"level":"Metadata","x":{"kind":"Pod"}}`)
	f("an item", `{"level":"Metadata"}`, time.Hour, `{"level":"Metadata"}`)
	f("kind alone", `{"kind":"Event"}`, 0, `{}`)
	f("kind last", `{"a":1,"kind":"Event"}`, 0, `{"a":1}`)
	f("empty", `{}`, 0, `{}`)
	f("times", `{"requestReceivedTimestamp":"2026-11-21T02:16:47.703474Z","stageTimestamp":"2026-11-21T02:16:47.9Z","m":"2026-11-21T02:16:47.703474Z"}`,
		24*time.Hour+time.Microsecond,
		`{"requestReceivedTimestamp":"2026-11-22T02:16:47.703475Z","stageTimestamp":"2026-11-22T02:16:47.900001Z","m":"2026-11-21T02:16:47.703474Z"}`)
	f("times stay without a delta", `{"stageTimestamp":"2026-11-21T02:16:47.9Z"}`, 0, `{"stageTimestamp":"2026-11-21T02:16:47.9Z"}`)
	f("no time", `{"stageTimestamp":null,"requestReceivedTimestamp":""}`, time.Hour, `{"stageTimestamp":null,"requestReceivedTimestamp":""}`)
	f("only those at the top", `{"o":{"stageTimestamp":"2026-11-21T02:16:47.9Z"}}`, time.Hour, `{"o":{"stageTimestamp":"2026-11-21T02:16:47.9Z"}}`)
	f("both of a repeated key", `{"stageTimestamp":"2026-01-01T00:00:00Z","stageTimestamp":"2026-01-01T00:00:01Z"}`, time.Second,
		`{"stageTimestamp":"2026-01-01T00:00:01.000000Z","stageTimestamp":"2026-01-01T00:00:02.000000Z"}`)
	f("bytes stay", "{\"u\":\"\\u003c\\u0000\xff\",\"n\":1e999,\"kind\":\"Event\",\"s\": [1, 2]}", 0, "{\"u\":\"\\u003c\\u0000\xff\",\"n\":1e999,\"s\": [1, 2]}")
}

func TestWebhookItemRefuses(t *testing.T) {
	for _, event := range []string{``, `[]`, `{`, `{"a"}`, `{"stageTimestamp":"yesterday"}`, `{"stageTimestamp":7}`} {
		if got, err := WebhookItem([]byte(event), time.Hour); err == nil {
			t.Errorf("%s: got %s", event, got)
		}
	}
}

func TestEventTime(t *testing.T) {
	got, err := EventTime([]byte(`{"level":"x","stageTimestamp":"2026-11-21T02:16:47.703474Z"}`))
	if want := time.Date(2026, 11, 21, 2, 16, 47, 703474000, time.UTC); err != nil || !got.Equal(want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if got, err := EventTime([]byte(`{}`)); err != nil || !got.IsZero() {
		t.Errorf("without a time: got %v, %v", got, err)
	}
}

// FuzzWebhookItem holds that an event stays what it is, but for its times.
func FuzzWebhookItem(f *testing.F) {
	f.Add([]byte(`{"kind":"Event","stageTimestamp":"2026-11-21T02:16:47.703474Z","a":[1,{"b":null}]}`), int64(5e9))
	f.Add([]byte(`{"verb":"get","verb":"list","requestReceivedTimestamp":"2026-11-21T02:16:47.703474Z","requestObject":{"kind":"Pod"}}`), int64(-3600e9))
	f.Add([]byte(` { "a" : 1 , "kind":"x" } `), int64(0))
	f.Fuzz(func(t *testing.T, event []byte, delta int64) {
		item, err := WebhookItem(event, time.Duration(delta))
		if err != nil {
			return
		}
		again, err := WebhookItem(item, 0)
		if err != nil || string(again) != string(item) {
			t.Errorf("not stable: %q then %q, %v", item, again, err)
		}
		var before, after audit.Event
		if audit.Scan(event, &before) != nil {
			return
		}
		if err := audit.Scan(item, &after); err != nil {
			t.Fatalf("%q became no event: %v", item, err)
		}
		for _, at := range []*time.Time{&before.RequestReceived, &before.StageTime} {
			if !at.IsZero() {
				*at = at.Add(time.Duration(delta)).Truncate(time.Microsecond)
			}
		}
		if after.ID("c") != before.ID("c") {
			t.Errorf("%q became another event by %v: %q", event, time.Duration(delta), item)
		}
	})
}
