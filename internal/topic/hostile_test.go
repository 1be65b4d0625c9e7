package topic

import (
	"bytes"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/klaxon-dev/klaxon/stream"
)

const secret = "hunter2-4f1e"

// decoders are those of all topics.
var decoders = map[string]func(*stream.Record) error{
	"events":     func(r *stream.Record) error { _, err := DecodeEvent(r); return err },
	"matches":    func(r *stream.Record) error { _, err := DecodeMatch(r); return err },
	"findings":   func(r *stream.Record) error { _, err := DecodeFinding(r); return err },
	"open":       func(r *stream.Record) error { _, err := DecodeOpen(r); return err },
	"blind":      func(r *stream.Record) error { _, err := DecodeBlindness(r); return err },
	"deadletter": func(r *stream.Record) error { _, err := DecodeDeadLetter(r); return err },
}

// headersOf returns good headers of a kind, but for some.
func headersOf(kind string, others ...string) []stream.Header {
	all := []stream.Header{}
	for i := 0; i < len(others); i += 2 {
		all = append(all, stream.Header{Key: others[i], Value: []byte(others[i+1])})
	}
	for _, h := range [][2]string{
		{"v", Version}, {"kind", kind}, {"received", "2026-01-01T00:00:00Z"}, {"cluster", "c"}, {"sender", "s"}, {"source", "0/1"},
		{"length", "1"}, {"from", "2026-01-01T00:00:00Z"},
	} {
		all = append(all, stream.Header{Key: h[0], Value: []byte(h[1])})
	}
	return all
}

// What is wrong with a record is said in few words, none of which are the
// record's.
func TestErrorsHoldNoContent(t *testing.T) {
	long := strings.Repeat(secret, 1<<16)
	key := bytes.Repeat([]byte{1}, 16)
	for name, r := range map[string]stream.Record{
		"no headers":           {},
		"a version":            {Headers: headersOf("event", "v", long)},
		"a kind":               {Key: key, Headers: headersOf(long)},
		"received":             {Key: key, Headers: headersOf("event", "received", long)},
		"a sender":             {Key: key, Headers: headersOf("event", "sender", long)},
		"a cluster":            {Key: key, Headers: headersOf("event", "cluster", long)},
		"a source":             {Headers: headersOf("match", "source", long)},
		"from":                 {Headers: headersOf("gap", "from", long)},
		"a reason":             {Headers: headersOf("", "reason", long)},
		"an id":                {Headers: headersOf("", "id", long)},
		"a length":             {Headers: headersOf("", "length", long)},
		"no JSON":              {Headers: headersOf("match"), Value: []byte(long)},
		"JSON of another type": {Headers: headersOf("match"), Value: []byte(`{"rule":["` + long + `"],"severity":1` + strings.Repeat("9", 1000) + `}`)},
		"a time":               {Headers: headersOf("match"), Value: []byte(`{"event":{"time":"` + secret + `"},"first_seen":"` + secret + `","hour":"` + secret + `"}`)},
		"an id in JSON":        {Headers: headersOf("open"), Value: []byte(`{"event":{"event_id":"` + secret + `"},"id":"` + secret + `","from":"` + secret + `"}`)},
		"a schema":             {Headers: headersOf(""), Value: []byte(`{"schema":"` + secret + `"}`)},
		"a severity":           {Headers: headersOf("match"), Value: []byte(`{"schema":"klaxon.finding/v1","severity":"` + secret + `"}`)},
	} {
		failed := 0
		for topic, decode := range decoders {
			err := decode(&r)
			if err == nil {
				continue
			}
			failed++
			if text := err.Error(); len(text) > 150 || strings.Contains(text, "hunter") || strings.Contains(text, "999") {
				t.Errorf("%s, %s: %d bytes: %.300s", topic, name, len(text), text)
			}
			if errors.Is(err, ErrVersion) {
				t.Errorf("%s, %s: %v", topic, name, err)
			}
		}
		if failed == 0 {
			t.Errorf("%s: nothing refuses it", name)
		}
	}
}

// A value of some megabytes does not become gigabytes in memory.
func TestBombsInJSON(t *testing.T) {
	const size = 9 << 20
	f := func(name, kind, before, again, after string) {
		t.Helper()
		value := []byte(before + strings.Repeat(again+",", size/(len(again)+1)) + again + after)
		r := stream.Record{Headers: headersOf(kind), Value: value}
		for topic, decode := range decoders {
			var m1, m2 runtime.MemStats
			runtime.ReadMemStats(&m1)
			err := decode(&r)
			runtime.ReadMemStats(&m2)
			if grown := m2.TotalAlloc - m1.TotalAlloc; grown > 16*size {
				t.Errorf("%s in %s: %d MiB were allocated (%v)", name, topic, grown>>20, err)
			}
		}
	}
	f("events", "", `{"schema":"klaxon.finding/v1","severity":"low","events":[`, `{}`, `]}`)
	f("tags", "", `{"tags":[`, `""`, `]}`)
	f("a key", "match", `{"key":{`, `"":""`, `}}`)
	f("titles", "match", `{"title":[`, `""`, `]}`)
	f("what is held", "open", `{"partitions":1,"held":[`, `"00000000000000000000000000000000"`, `]}`)
	f("what is gone", "open", `{"partitions":1,"gone":{`, `"":{}`, `}}`)
	f("shards", "open", `{"partitions":1,"shards":[`, `0`, `]}`)
	f("depth", "match", `{"rule":`, `[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[`, ``)

	small := stream.Record{Headers: headersOf(""), Value: []byte(`{"events":[` + strings.Repeat("{},", 1<<20) + `{}]}`)}
	if _, err := DecodeFinding(&small); err == nil || !strings.Contains(err.Error(), "events") {
		t.Errorf("a million events: %v", err)
	}
}

// A record speaks of no time that is after the log took it, but for a minute.
func TestTimesAreHeldToTheLogs(t *testing.T) {
	taken := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	f := func(received string, want time.Time) {
		t.Helper()
		for _, kind := range []string{"heartbeat", "progress", "gap"} {
			r := stream.Record{Time: taken, Headers: headersOf(kind, "received", received)}
			e, err := DecodeEvent(&r)
			got := e.Received
			if kind != "heartbeat" {
				var m Match
				m, err = DecodeMatch(&r)
				got = m.Received
			}
			if (err != nil) != want.IsZero() || err == nil && !got.Equal(want) {
				t.Errorf("%s received %s: %v and error %v, want %v", kind, received, got, err, want)
			}
		}
	}
	f("2025-12-31T23:59:00Z", taken.Add(-time.Minute))
	f("2026-01-01T00:00:59Z", taken.Add(59*time.Second))
	f("2026-01-01T00:02:00Z", taken.Add(time.Minute))
	f("9999-12-31T23:59:59Z", taken.Add(time.Minute))
	f("9999-12-31T23:59:59-23:59", taken.Add(time.Minute))
	f("0001-01-01T00:00:00Z", time.Time{})
	f("0000-01-01T00:00:00+23:59", time.Time{})
}
