package kafka

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/compress"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/klaxon-dev/klaxon/stream"
)

// readBytes is how much is read at once.
const readBytes = 1 << 20

// seen is what a group was given of a partition.
type seen struct {
	values []string
	gaps   []stream.GapError
	last   []stream.Record
	most   int // at once
}

// readOn reads partition 0 of topic events for a new group until a record has the
// value "end".
func readOn(t *testing.T, log *Log, group string) (all seen) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	err := log.Consume(ctx, "events", group, func(ctx context.Context, c stream.Claim) error {
		for next := c.Position().Offset; ; {
			records, err := c.Read(ctx, next, readBytes)
			var gap *stream.GapError
			if errors.As(err, &gap) {
				all.gaps = append(all.gaps, *gap)
				next = gap.To
				continue
			}
			if err != nil {
				return err
			}
			all.most = max(all.most, len(records))
			for i := range records {
				next = records[i].Offset + 1
				all.values = append(all.values, string(records[i].Value))
				all.last = append(all.last, records[i])
				if string(records[i].Value) == "end" {
					cancel()
				}
			}
			all.last = all.last[max(0, len(all.last)-100):]
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("consume: %v", err)
	}
	return all
}

// rawBatch makes a batch of so many records out of what write writes of them.
func rawBatch(t testing.TB, codec compress.Compression, count int, write func(io.Writer)) []byte {
	t.Helper()
	var packed bytes.Buffer
	if codec == compress.None {
		write(&packed)
	} else {
		w := codec.Codec().NewWriter(&packed)
		write(struct{ io.Writer }{w}) // the library mixes ReadFrom and Write up
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	b := append(appendHeader(nil, codec, count, time.Now()), packed.Bytes()...)
	seal(b)
	return b
}

// rawRecord writes a record with a value of n zeros.
func rawRecord(w io.Writer, offset, n int64) {
	head := []byte{0}                        // attributes
	head = binary.AppendVarint(head, 0)      // time
	head = binary.AppendVarint(head, offset) //
	head = binary.AppendVarint(head, -1)     // key
	head = binary.AppendVarint(head, n)
	length := binary.AppendVarint(nil, int64(len(head))+n+1)
	_, _ = w.Write(append(length, head...))
	_, _ = io.CopyN(w, zeros{}, n)
	_, _ = w.Write([]byte{0}) // headers
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// produceRaw writes a batch to partition 0 of topic events.
func (l *lab) produceRaw(log *Log, batch []byte) {
	l.Helper()
	framed := append(binary.BigEndian.AppendUint32(nil, uint32(len(batch))), batch...)
	client := &kafka.Client{Addr: log.client.Addr, Transport: log.transport, Timeout: 2 * time.Minute}
	answer, err := client.RawProduce(l.Context(), &kafka.RawProduceRequest{
		Topic: l.config.Topic("events"), RequiredAcks: kafka.RequireAll, RawRecords: protocol.RawRecordSet{Reader: bytes.NewReader(framed)},
	})
	if err == nil {
		err = answer.Error
	}
	if err != nil {
		l.Fatal(err)
	}
}

func (l *lab) produceEnd(log *Log, values ...string) {
	l.Helper()
	for _, v := range append(values, "end") {
		if err := log.Append(l.Context(), "events", []stream.Record{{Value: []byte(v)}}); err != nil {
			l.Fatal(err)
		}
	}
}

// A batch of some kilobytes that stands for gigabytes is passed over as a loss, in
// bounded memory; its neighbours are read.
func TestBombIsPassedOver(t *testing.T) {
	l := newLab(t, shared.Cluster(t), map[string]int{"events": 1})
	log := l.open()
	if err := log.Append(t.Context(), "events", []stream.Record{{Value: []byte("before")}}); err != nil {
		t.Fatal(err)
	}
	l.produceRaw(log, rawBatch(t, compress.Zstd, 2, func(w io.Writer) { rawRecord(w, 0, 1); rawRecord(w, 1, 1<<30) }))
	l.produceEnd(log)
	var all seen
	allocated := allocations(func() { all = readOn(t, log, "others") })
	if diff := cmp.Diff([]string{"before", "end"}, all.values); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	if len(all.gaps) != 1 || all.gaps[0].From != 1 || all.gaps[0].To != 3 || !errors.Is(all.gaps[0].Why, errUnpacked) {
		t.Errorf("gaps %v, want that of 1 to 3", all.gaps)
	}
	if allocated > 512<<20 {
		t.Errorf("%d MiB were allocated", allocated>>20)
	}
}

// allocations returns the bytes that f allocates.
func allocations(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// Records without content count for what they take in memory: a batch of a million
// comes in pieces.
func TestEmptyRecordsComeInPieces(t *testing.T) {
	const count = 1_000_000
	l := newLab(t, shared.Cluster(t), map[string]int{"events": 1})
	log := l.open()
	l.produceRaw(log, rawBatch(t, compress.Zstd, count, func(w io.Writer) {
		b := bufio.NewWriter(w)
		for i := range int64(count) {
			rawRecord(b, i, 0)
		}
		_ = b.Flush()
	}))
	l.produceEnd(log)
	all := readOn(t, log, "others")
	if len(all.values) != count+1 || len(all.gaps) > 0 {
		t.Errorf("%d records and gaps %v, want %d and none", len(all.values), all.gaps, count+1)
	}
	if most := readBytes/recordOverhead + 1; all.most > most {
		t.Errorf("%d records came at once, more than %d", all.most, most)
	}
}

// Whatever a client packs its records with, and however it cuts them, they are
// read as they were written.
func TestForeignClients(t *testing.T) {
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	l := newLab(t, shared.Cluster(t), map[string]int{"events": 1})
	log := l.open()
	var want []string
	for name, codec := range codecs {
		client := l.foreign(kgo.ProducerBatchCompression(codec))
		for i := range 3 {
			value := fmt.Sprintf("%s %d %s", name, i, bytes.Repeat([]byte("x"), 100_000*i))
			want = append(want, value)
			record := &kgo.Record{Topic: l.config.Topic("events"), Value: []byte(value)}
			if err := client.ProduceSync(t.Context(), record).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	l.produceEnd(log)
	all := readOn(t, log, "others")
	if diff := cmp.Diff(append(want, "end"), all.values); diff != "" || len(all.gaps) > 0 {
		t.Errorf("gaps %v, values (-want +got):\n%.1000s", all.gaps, diff)
	}
}

// foreign returns a client of another library that writes to partition 0.
func (l *lab) foreign(options ...kgo.Opt) *kgo.Client {
	l.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(l.config.Brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner())}, options...)...)
	if err != nil {
		l.Fatal(err)
	}
	l.Cleanup(client.Close)
	return client
}

// The marks of other producers' transactions are no records and no loss, also
// where the log ends with one.
func TestTransactionsLeaveNoGaps(t *testing.T) {
	l := newLab(t, shared.Cluster(t), map[string]int{"events": 1})
	log := l.open()
	client := l.foreign(kgo.TransactionalID(l.config.Prefix))
	for i, commit := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort, kgo.TryCommit} {
		if err := client.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		record := &kgo.Record{Topic: l.config.Topic("events"), Value: fmt.Append(nil, i)}
		if err := client.ProduceSync(t.Context(), record).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if err := client.EndTransaction(t.Context(), commit); err != nil {
			t.Fatal(err)
		}
	}
	j := newJournal()
	leave := join(t, log, j.reading("a"))
	waitFor(t, "all records are read", func() bool { j.mu.Lock(); defer j.mu.Unlock(); return j.read["a0"] == 5 })
	waitFor(t, "nothing is behind", func() bool { return log.metrics.lags(time.Now())[[2]string{"events", "readers"}].records == 0 })
	leave()
	l.produceEnd(log)
	all := readOn(t, log, "others")
	if diff := cmp.Diff([]string{"0", "1", "2", "end"}, all.values); diff != "" || len(all.gaps) > 0 {
		t.Errorf("gaps %v, values (-want +got):\n%s", all.gaps, diff)
	}
}

// A record's time is when the broker took it, whatever its producer says; of its
// headers a bounded number is read.
func TestForeignTimesAndHeaders(t *testing.T) {
	l := newLab(t, shared.Cluster(t), map[string]int{"events": 1})
	log := l.open()
	client := l.foreign(kgo.ProducerBatchMaxBytes(9 << 20))
	var many []kgo.RecordHeader
	for i := range 10_000 {
		many = append(many, kgo.RecordHeader{Key: fmt.Sprint(i), Value: []byte("v")})
	}
	year := func(n int) time.Time { return time.Date(n, 1, 1, 0, 0, 0, 0, time.UTC) }
	for _, r := range []*kgo.Record{
		{Timestamp: year(9999)}, {Timestamp: year(1)}, {Timestamp: year(1950)},
		{Headers: many}, {Headers: []kgo.RecordHeader{{Key: "", Value: bytes.Repeat([]byte("v"), 5<<20)}}},
		{Key: []byte{}, Value: []byte{}}, {Key: []byte("tombstone")},
	} {
		r.Topic = l.config.Topic("events")
		if err := client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	l.produceEnd(log)
	all := readOn(t, log, "others")
	if len(all.last) != 8 || len(all.gaps) > 0 {
		t.Fatalf("%d records and gaps %v, want 8 and none", len(all.last), all.gaps)
	}
	for i := range all.last {
		r := &all.last[i]
		if off := time.Since(r.Time).Abs(); off > time.Hour {
			t.Errorf("record %d is of %v", i, r.Time)
		}
		if len(r.Headers) > maxHeaders {
			t.Errorf("record %d has %d headers", i, len(r.Headers))
		}
	}
	if r := all.last[6]; string(r.Key) != "tombstone" || r.Value != nil {
		t.Errorf("the tombstone is %+v", r)
	}
}
