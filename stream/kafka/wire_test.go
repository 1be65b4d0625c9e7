package kafka

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/klauspost/compress/zstd"
	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/compress"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/metadata"
	"github.com/segmentio/kafka-go/protocol/produce"
	"github.com/segmentio/kafka-go/protocol/rawproduce"

	"github.com/klaxon-dev/klaxon/stream"
)

// tripper keeps the last request.
type tripper struct{ last kafka.Request }

func (t *tripper) RoundTrip(_ context.Context, _ net.Addr, r kafka.Request) (kafka.Response, error) {
	t.last = r
	return nil, nil
}

func newTestWire(t *testing.T) (*wire, *tripper) {
	t.Helper()
	p, err := newPacker()
	if err != nil {
		t.Fatal(err)
	}
	next := &tripper{}
	return newWire(next, "klaxon.events", 12, p), next
}

// What a writer sends is read back as it was, and by the checksum that brokers look
// at.
func TestWirePacks(t *testing.T) {
	w, next := newTestWire(t)
	want := []stream.Record{
		{Partition: 3, Offset: 0, Key: []byte("key"), Value: bytes.Repeat([]byte("long "), 100_000), Headers: []stream.Header{{Key: "v", Value: []byte("1.1")}, {Key: "none"}}},
		{Partition: 3, Offset: 1, Value: []byte{}},
		{Partition: 3, Offset: 2, Key: []byte{0, 255}},
	}
	for i := range 300 {
		want = append(want, stream.Record{Partition: 3, Offset: int64(3 + i), Value: []byte{byte(i)}})
	}
	var records []protocol.Record
	for _, r := range want {
		one := protocol.Record{}
		if r.Key != nil {
			one.Key = protocol.NewBytes(r.Key)
		}
		if r.Value != nil {
			one.Value = protocol.NewBytes(r.Value)
		}
		for _, h := range r.Headers {
			one.Headers = append(one.Headers, protocol.Header{Key: h.Key, Value: h.Value})
		}
		records = append(records, one)
	}
	request := func(records ...protocol.Record) *produce.Request {
		return &produce.Request{Acks: -1, Timeout: 7, Topics: []produce.RequestTopic{{Topic: "klaxon.events", Partitions: []produce.RequestPartition{{
			Partition: 3, RecordSet: protocol.RecordSet{Attributes: protocol.Attributes(compress.Zstd), Records: protocol.NewRecordReader(records...)},
		}}}}}
	}
	began := time.Now().Truncate(time.Millisecond)
	if _, err := w.RoundTrip(t.Context(), nil, request(records...)); err != nil {
		t.Fatal(err)
	}
	sent := next.last.(*rawproduce.Request)
	if sent.Acks != -1 || sent.Timeout != 7 || sent.Topics[0].Topic != "klaxon.events" || sent.Topics[0].Partitions[0].Partition != 3 {
		t.Fatalf("sent %+v", sent)
	}
	packed, err := io.ReadAll(sent.Topics[0].Partitions[0].RecordSet.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if size := binary.BigEndian.Uint32(packed); int(size) != len(packed)-4 {
		t.Fatalf("%d bytes are said to be %d", len(packed)-4, size)
	}
	b, rest, err := cutBatch(packed[4:])
	if err != nil || len(rest) > 0 || int(b.count) != len(want) || b.to != int64(len(want)) || b.control() {
		t.Fatalf("batch of %d records to %d, %d bytes more, %v", b.count, b.to, len(rest), err)
	}
	plain, err := newUnpacker(1 << 20).unpack(&b)
	if err != nil {
		t.Fatal(err)
	}
	p := parser{rest: plain}
	var got []stream.Record
	for range b.count {
		r, err := b.record(&p, 3)
		if err != nil {
			t.Fatal(err)
		}
		if r.Time.Before(began) || r.Time.After(time.Now()) {
			t.Fatalf("a record of %s", r.Time)
		}
		got = append(got, r)
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(stream.Record{}, "Time"), cmpopts.EquateEmpty()); diff != "" || len(p.rest) > 0 {
		t.Errorf("%d bytes more; records (-sent +read):\n%s", len(p.rest), diff)
	}
	if _, err := w.RoundTrip(t.Context(), nil, request()); !errors.Is(err, protocol.ErrNoRecord) {
		t.Errorf("a batch of nothing: %v", err)
	}
}

// A writer is told how many partitions its topic has without asking brokers; all
// else they are asked.
func TestWireAnswers(t *testing.T) {
	w, next := newTestWire(t)
	answer, err := w.RoundTrip(t.Context(), nil, &metadata.Request{TopicNames: []string{"klaxon.events"}})
	if err != nil || next.last != nil {
		t.Fatalf("asked %v, %v", next.last, err)
	}
	if topics := answer.(*metadata.Response).Topics; len(topics) != 1 || topics[0].Name != "klaxon.events" || len(topics[0].Partitions) != 12 {
		t.Errorf("told of %+v", topics)
	}
	other := &rawproduce.Request{}
	if _, err := w.RoundTrip(t.Context(), nil, other); err != nil || next.last != kafka.Request(other) {
		t.Errorf("asked %v, %v", next.last, err)
	}
}

// BenchmarkPack packs batches of 100 recorded events, beside the library.
func BenchmarkPack(b *testing.B) {
	file, err := os.ReadFile("../../testdata/recorded/benign.jsonl.zst")
	if err != nil {
		b.Fatal(err)
	}
	unzstd, err := zstd.NewReader(nil)
	if err != nil {
		b.Fatal(err)
	}
	defer unzstd.Close()
	text, err := unzstd.DecodeAll(file, nil)
	if err != nil {
		b.Fatal(err)
	}
	items := slices.Collect(bytes.Lines(text))[:100]
	size := len(bytes.Join(items, nil))
	set := func() protocol.RecordSet {
		records := make([]protocol.Record, len(items))
		for i, item := range items {
			records[i].Value = protocol.NewBytes(item)
		}
		return protocol.RecordSet{Version: 2, Attributes: protocol.Attributes(compress.Zstd), Records: protocol.NewRecordReader(records...)}
	}
	b.Run("by=packer", func(b *testing.B) {
		p, err := newPacker()
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(size))
		for b.Loop() {
			if _, err := p.recordSet(set().Records, time.Now()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("by=library", func(b *testing.B) {
		b.SetBytes(int64(size))
		for b.Loop() {
			set := set()
			if _, err := set.WriteTo(new(bytes.Buffer)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
