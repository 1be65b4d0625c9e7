package kafka

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/compress"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/metadata"
	"github.com/segmentio/kafka-go/protocol/produce"
	"github.com/segmentio/kafka-go/protocol/rawproduce"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/klaxon-dev/klaxon/stream"
)

// tripper keeps the last request.
type tripper struct{ last kafka.Request }

func (t *tripper) RoundTrip(_ context.Context, _ net.Addr, r kafka.Request) (kafka.Response, error) {
	t.last = r
	return nil, nil
}

// newTestWire returns the wire of a topic of twelve partitions.
func newTestWire() (*wire, *tripper) {
	log := &Log{config: Config{Prefix: "klaxon"}, partitions: map[string]int{"events": 12}, packer: newPacker(kafka.Zstd)}
	wire, next := newWire(log, "events"), &tripper{}
	wire.next = next
	return wire, next
}

// various are records of a partition: short and long, with and without what a
// record may have.
func various(partition int) []stream.Record {
	noise := make([]byte, 1<<20) // packs to no less
	_, _ = rand.NewChaCha8([32]byte{}).Read(noise)
	records := []stream.Record{
		{Key: []byte("key"), Value: bytes.Repeat([]byte("long "), 1_000_000), Headers: []stream.Header{{Key: "v", Value: []byte("1.1")}, {Key: "none"}, {Key: "empty", Value: []byte{}}}},
		{Value: []byte{}},
		{Key: []byte{0, 255}},
		{Key: []byte{}, Value: noise},
		{},
	}
	for i := range 300 {
		records = append(records, stream.Record{Value: []byte{byte(i)}})
	}
	for i := range records {
		records[i].Partition = partition
	}
	return records
}

// readerOf returns records as a writer has them.
func readerOf(records ...stream.Record) protocol.RecordReader {
	var all []protocol.Record
	for _, r := range records {
		one := protocol.Record{Time: r.Time, Key: protocol.NewBytes(r.Key), Value: protocol.NewBytes(r.Value)}
		for _, h := range r.Headers {
			one.Headers = append(one.Headers, protocol.Header{Key: h.Key, Value: h.Value})
		}
		all = append(all, one)
	}
	return protocol.NewRecordReader(all...)
}

// requestOf returns the request in which a writer sends records.
func requestOf(records ...stream.Record) *produce.Request {
	return &produce.Request{Acks: -1, Timeout: 7, Topics: []produce.RequestTopic{{Topic: "klaxon.events", Partitions: []produce.RequestPartition{{
		Partition: 3, RecordSet: protocol.RecordSet{Version: 2, Attributes: protocol.Attributes(compress.Zstd), Records: readerOf(records...)},
	}}}}}
}

// unpacked returns the records of a packed request.
func unpacked(t *testing.T, r *rawproduce.Request) []stream.Record {
	t.Helper()
	packed, err := io.ReadAll(r.Topics[0].Partitions[0].RecordSet.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if size := binary.BigEndian.Uint32(packed); int(size) != len(packed)-4 {
		t.Fatalf("%d bytes are said to be %d", len(packed)-4, size)
	}
	b, rest, err := cutBatch(packed[4:])
	if err != nil || len(rest) > 0 || b.to != int64(b.count) || b.control() {
		t.Fatalf("a batch of %d records to %d, %d bytes more, %v", b.count, b.to, len(rest), err)
	}
	plain, err := newUnpacker(8 << 20).unpack(&b)
	if err != nil {
		t.Fatal(err)
	}
	p := parser{rest: plain}
	var records []stream.Record
	for range b.count {
		one, err := b.record(&p, 3)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, one)
	}
	if len(p.rest) > 0 {
		t.Errorf("%d bytes more", len(p.rest))
	}
	return records
}

// wantSame compares records, none and empty too. Some are long: cmp would take
// minutes.
func wantSame(t *testing.T, want, got []stream.Record) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d records, want %d", len(got), len(want))
		return
	}
	for i := range want {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("record %d:\n%.500s, want\n%.500s", i, fmt.Sprintf("%#v", got[i]), fmt.Sprintf("%#v", want[i]))
		}
	}
}

// What a writer sends is read back as it was, by several at once.
func TestWirePacks(t *testing.T) {
	w, _ := newTestWire()
	want := various(3)
	for i := range want {
		want[i].Offset, want[i].Time = int64(i), time.Date(2026, 3, 1, 12, 0, 0, 123e6, time.UTC)
	}
	var work sync.WaitGroup
	for range 4 {
		work.Go(func() {
			next := &tripper{}
			wire := &wire{next, w.layout, w.packer, w.last}
			if _, err := wire.RoundTrip(t.Context(), nil, requestOf(want...)); err != nil {
				t.Error(err)
				return
			}
			sent := next.last.(*rawproduce.Request)
			if _, err := wire.RoundTrip(t.Context(), nil, requestOf(stream.Record{Value: []byte("other")})); err != nil {
				t.Error(err)
			}
			if sent.Acks != -1 || sent.Timeout != 7 || sent.Topics[0].Topic != "klaxon.events" || sent.Topics[0].Partitions[0].Partition != 3 {
				t.Errorf("sent %+v", sent)
			}
			wantSame(t, want, unpacked(t, sent))
		})
	}
	work.Wait()
	if _, err := w.RoundTrip(t.Context(), nil, requestOf()); !errors.Is(err, protocol.ErrNoRecord) {
		t.Errorf("a batch of nothing: %v", err)
	}
}

// A client of another library reads what is written, whatever packed it.
func TestForeignReader(t *testing.T) {
	for _, compression := range append(slices.Sorted(maps.Keys(codecs)), "none") {
		t.Run(compression, func(t *testing.T) {
			l := newLab(t, shared.Cluster(t), map[string]int{"events": 1})
			l.config.Compression = compression
			want := various(0)
			if err := l.open().Append(t.Context(), "events", want); err != nil {
				t.Fatal(err)
			}
			client := l.foreign(kgo.ConsumeTopics(l.config.Topic("events")), kgo.FetchMaxPartitionBytes(1<<20))
			var got []stream.Record
			for len(got) < len(want) {
				fetched := client.PollFetches(t.Context())
				if err := fetched.Err(); err != nil {
					t.Fatalf("after %d records: %v", len(got), err)
				}
				for _, r := range fetched.Records() {
					if code := r.Attrs.CompressionType(); code != uint8(codecs[compression]) {
						t.Fatalf("record %d is packed with %d", r.Offset, code)
					}
					one := stream.Record{Offset: r.Offset, Key: r.Key, Value: r.Value}
					for _, h := range r.Headers {
						one.Headers = append(one.Headers, stream.Header{Key: h.Key, Value: h.Value})
					}
					got = append(got, one)
				}
			}
			for i := range want {
				want[i].Offset = int64(i)
			}
			wantSame(t, want, got)
		})
	}
}

// A writer is told how many partitions its topic has without asking brokers; all
// else they are asked, but not by who has no time left.
func TestWireAnswers(t *testing.T) {
	w, next := newTestWire()
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
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := w.RoundTrip(ended, nil, requestOf(stream.Record{})); !errors.Is(err, context.Canceled) || next.last != kafka.Request(other) {
		t.Errorf("asked %v, %v", next.last, err)
	}
}

// What waits behind records that failed fails with them, at once and for good; what
// comes later does not, nor what is of another partition.
func TestOvertaken(t *testing.T) {
	w, next := newTestWire()
	sent := func(records ...stream.Record) error {
		next.last = nil
		_, err := w.RoundTrip(t.Context(), nil, requestOf(records...))
		if (err == nil) != (next.last != nil) {
			t.Errorf("%v, although it was sent or because it was not: %v", err, next.last)
		}
		return err
	}
	failed := func(partition int, err error) { w.completed([]kafka.Message{{WriterData: partition}}, err) }
	waiting := stream.Record{Time: time.Now()}
	for _, harmless := range []error{nil, kafka.MessageSizeTooLarge, errOvertaken} {
		failed(3, harmless)
	}
	failed(4, syscall.ECONNREFUSED)
	if err := sent(waiting); err != nil {
		t.Errorf("nothing has failed before it: %v", err)
	}
	failed(3, fmt.Errorf("down: %w", syscall.ECONNREFUSED))
	later := stream.Record{Time: time.Now()}
	for _, records := range [][]stream.Record{{waiting}, {waiting, later}, {later, waiting}} {
		if err := sent(records...); !errors.Is(err, errOvertaken) || errors.Is(err, syscall.ECONNREFUSED) || !strings.Contains(err.Error(), "down") {
			t.Errorf("behind what failed: %v", err)
		}
	}
	failed(3, errOvertaken)
	if err := sent(later); err != nil {
		t.Errorf("after the failure: %v", err)
	}
}

// A record that is rare for its size leaves no scratch of that size.
func TestScratchIsBounded(t *testing.T) {
	p := newPacker(kafka.Zstd)
	for range 10 {
		if _, _, err := p.recordSet(readerOf(various(3)...)); err != nil {
			t.Fatal(err)
		}
		s := p.scratches.Get().(*scratch)
		if cap(s.plain) > maxScratch {
			t.Errorf("a scratch of %d bytes is kept", cap(s.plain))
		}
		p.scratches.Put(s)
	}
}

// BenchmarkPack packs batches of 100 recorded events, beside the library, up to
// where their bytes are with the connection.
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
	var records []stream.Record
	size := 0
	for _, item := range slices.Collect(bytes.Lines(text))[:100] {
		records = append(records, stream.Record{Value: item})
		size += len(item)
	}
	w, _ := newTestWire()
	for _, by := range []struct {
		name string
		send func(*produce.Request) error
	}{
		{"packer", func(r *produce.Request) error {
			packed, err := w.pack(r)
			if err != nil {
				return err
			}
			return protocol.WriteRequest(io.Discard, 7, 1, "klaxon", packed)
		}},
		{"library", func(r *produce.Request) error { return protocol.WriteRequest(io.Discard, 7, 1, "klaxon", r) }},
	} {
		b.Run("by="+by.name, func(b *testing.B) {
			b.SetBytes(int64(size))
			for b.Loop() {
				if err := by.send(requestOf(records...)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
