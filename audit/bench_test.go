package audit

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
)

// benchBodies are recorded POSTs by what their policy records.
var benchBodies = []struct{ name, file string }{
	{"metadata", "metadata-000012-ok-637894560dc631f3.json.gz"},
	{"mixed", "mixed-000019-ok-0add58175409adcb.json.gz"},
	{"bodies", "requestresponse-000018-ok-7b18739bdb34e58a.json.gz"},
}

func benchmarkBodies(b *testing.B, run func(b *testing.B, body []byte, items [][]byte)) {
	all := posts(b)
	for _, bench := range benchBodies {
		body := all[bench.file]
		var items [][]byte
		s := NewSplitterBytes(body, SplitLimits{})
		for item, err := s.Next(); err == nil; item, err = s.Next() {
			items = append(items, item)
		}
		if len(items) == 0 {
			b.Fatalf("%s holds no items", bench.file)
		}
		b.Run(bench.name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			run(b, body, items)
			b.ReportMetric(float64(len(items)*b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

func BenchmarkSplit(b *testing.B) {
	benchmarkBodies(b, func(b *testing.B, body []byte, items [][]byte) {
		for b.Loop() {
			s := NewSplitter(bytes.NewReader(body), SplitLimits{})
			for _, err := s.Next(); err == nil; _, err = s.Next() {
			}
		}
	})
}

func BenchmarkSplitBytes(b *testing.B) {
	benchmarkBodies(b, func(b *testing.B, body []byte, items [][]byte) {
		for b.Loop() {
			s := NewSplitterBytes(body, SplitLimits{})
			for _, err := s.Next(); err == nil; _, err = s.Next() {
			}
		}
	})
}

func BenchmarkScan(b *testing.B) {
	benchmarkBodies(b, func(b *testing.B, body []byte, items [][]byte) {
		var e Event
		for b.Loop() {
			for _, item := range items {
				if err := Scan(item, &e); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}

// BenchmarkSplitScan is to be compared with BenchmarkEncodingJSON.
func BenchmarkSplitScan(b *testing.B) {
	benchmarkBodies(b, func(b *testing.B, body []byte, items [][]byte) {
		var e Event
		for b.Loop() {
			s := NewSplitter(bytes.NewReader(body), SplitLimits{})
			for range items {
				if _, err := s.NextEvent(&e); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}

func BenchmarkEncodingJSON(b *testing.B) {
	benchmarkBodies(b, func(b *testing.B, body []byte, items [][]byte) {
		for b.Loop() {
			var list auditv1.EventList
			if err := json.Unmarshal(body, &list); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkID(b *testing.B) {
	benchmarkBodies(b, func(b *testing.B, body []byte, items [][]byte) {
		events := scanned(b, items)
		for b.Loop() {
			for i := range events {
				events[i].ID("cluster")
			}
		}
	})
}

func BenchmarkAppendJSON(b *testing.B) {
	benchmarkBodies(b, func(b *testing.B, body []byte, items [][]byte) {
		events := scanned(b, items)
		var dst []byte
		for b.Loop() {
			for i := range events {
				dst = AppendJSON(dst[:0], &events[i])
			}
		}
	})
}

// BenchmarkRedact is mostly of events that hold no secrets.
func BenchmarkRedact(b *testing.B) {
	benchmarkBodies(b, func(b *testing.B, body []byte, items [][]byte) {
		events := scanned(b, items)
		r := testRedactor(b)
		for b.Loop() {
			for i := range events {
				e := events[i]
				if _, err := r.Redact(items[i], &e); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}

func scanned(b *testing.B, items [][]byte) []Event {
	b.Helper()
	events := make([]Event, len(items))
	for i := range items {
		if err := Scan(items[i], &events[i]); err != nil {
			b.Fatal(err)
		}
	}
	return events
}

// BenchmarkRedactHostile is of texts that make the patterns work hardest: their
// cost grows with the length of the text and not faster.
func BenchmarkRedactHostile(b *testing.B) {
	r := testRedactor(b)
	for _, s := range []string{"password", "a://b@", "kind: &a !b # c\n", "kind: Secret in ", "eyJaaaaaaaa.", "-----BEGIN PRIVATE KEY-----", "https://a:b@c?token=d&"} {
		item := []byte(eventAbout("/configmaps/", `{"data":{"x":`+quoted("Secret ://@ "+strings.Repeat(s, (1<<20)/len(s)))+`}}`, ""))
		b.Run(strings.TrimSpace(s), func(b *testing.B) {
			var e Event
			b.SetBytes(int64(len(item)))
			for b.Loop() {
				if err := Scan(item, &e); err != nil {
					b.Fatal(err)
				}
				if _, err := r.redactWithin(item, &e, len(item)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
