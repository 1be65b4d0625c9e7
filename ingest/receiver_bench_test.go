package ingest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/klaxon-dev/klaxon/stream"
)

// nullLog takes everything at once.
type nullLog struct{}

func (nullLog) Partitions(string) int                                 { return 8 }
func (nullLog) Append(context.Context, string, []stream.Record) error { return nil }

// BenchmarkPost measures a recorded request of 400 Metadata events, over TLS
// and HTTP/2, up to a log that costs nothing. The client's part is in it. Run
// it with -cpu 1 for the figure of one core.
func BenchmarkPost(b *testing.B) {
	body := recordedPosts(b)["metadata-000009-ok-380e9208b9f86ee6.json.gz"]
	events := len(itemsOf(b, body))
	r := newReceiverTest(b, func(s *receiverSetup) { s.log = nullLog{} })
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		req, err := http.NewRequest(http.MethodPost, r.url+"/webhook/prod?timeout=30s", bytes.NewReader(body))
		r.must(err)
		req.Header.Set("Authorization", "Bearer "+tokenA)
		res, err := r.client.Do(req)
		r.must(err)
		if res.StatusCode != http.StatusOK {
			b.Fatal(res.Status)
		}
		_, err = io.Copy(io.Discard, res.Body)
		r.must(err)
		res.Body.Close()
	}
	b.ReportMetric(float64(b.N*events)/b.Elapsed().Seconds(), "events/s")
}
