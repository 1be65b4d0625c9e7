package kafka

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"testing"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/compress"

	"github.com/klaxon-dev/klaxon/stream"
)

// takeAll reads what an answer holds as a claim does, and returns what ended it.
func takeAll(answer []byte, from int64) (records []stream.Record, r *reader, err error) {
	r = &reader{}
	r.open(answer, from)
	u := newUnpacker(1 << 10)
	for r.opened && err == nil {
		var some []stream.Record
		some, err = r.take(u, 0, 1<<10)
		records = append(records, some...)
	}
	return records, r, err
}

// What is wrong in a batch is said, and costs no more than the batch.
func TestBadBatches(t *testing.T) {
	good := rawBatch(t, compress.None, 2, func(w io.Writer) { rawRecord(w, 0, 1); rawRecord(w, 1, 1) })
	with := func(change func(b []byte)) []byte {
		b := bytes.Clone(good)
		change(b)
		binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], castagnoli))
		return b
	}
	for name, c := range map[string]struct {
		answer []byte
		read   int
		cause  error // nil: none; errHole's are holes
	}{
		"good":               {good, 2, nil},
		"cut short":          {good[:len(good)-1], 0, nil},
		"good and cut short": {append(bytes.Clone(good), good[:70]...), 2, nil},
		"damaged":            {append(good[:70:70], make([]byte, len(good)-70)...), 0, errChecksum},
		"another form":       {with(func(b []byte) { b[16] = 1 }), 0, errBatch},
		"no length":          {with(func(b []byte) { clear(b[8:12]) }), 0, errBatch},
		"negative offsets":   {with(func(b []byte) { b[0] = 0xff }), 0, errBatch},
		"negative count":     {with(func(b []byte) { b[57] = 0xff }), 0, errBatch},
		"more than it holds": {with(func(b []byte) { b[58] = 0x7f }), 2, nil},
		"offset outside":     {with(func(b []byte) { b[64] = 20 }), 0, errBatch},
		"record too long":    {with(func(b []byte) { b[61] = 0x7e }), 0, errCutShort},
		"unknown packing":    {with(func(b []byte) { b[22] = 7 }), 0, errBatch},
		"not zstd":           {with(func(b []byte) { b[22] = 4 }), 0, io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			records, _, err := takeAll(c.answer, 0)
			if len(records) != c.read {
				t.Errorf("%d records, want %d", len(records), c.read)
			}
			var hole *errHole
			cause := err
			if errors.As(err, &hole) {
				cause = hole.why
			}
			if name == "not zstd" && cause != nil {
				return // whatever the library calls it
			}
			if !errors.Is(cause, c.cause) {
				t.Errorf("error %v, want %v", err, c.cause)
			}
		})
	}
}

// FuzzBatches reads hostile answers: no panic, no step back, nothing twice.
func FuzzBatches(f *testing.F) {
	for codec := compress.None; codec <= compress.Zstd; codec++ {
		f.Add(rawBatch(f, codec, 2, func(w io.Writer) { rawRecord(w, 0, 1); rawRecord(w, 1, 9) }), int64(0))
	}
	f.Fuzz(func(t *testing.T, answer []byte, from int64) {
		if len(answer) >= batchHeader { // one that a broker would take
			seal(answer)
		}
		from = max(from, 0)
		records, r, err := takeAll(answer, from)
		next := from
		for i := range records {
			if records[i].Offset != next {
				t.Errorf("offset %d, want %d", records[i].Offset, next)
			}
			next++
		}
		var hole *errHole
		if errors.As(err, &hole) && (hole.from != next || hole.to <= hole.from) {
			t.Errorf("a hole from %d to %d at %d", hole.from, hole.to, next)
		}
		if r.next < next {
			t.Errorf("it stands at %d after %d", r.next, next)
		}
	})
}

// FuzzAnswer reads hostile answers to a fetch.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x04\x00\x00\x00\x01"))
	f.Add(append([]byte{0x7f, 0xff, 0xff, 0xff}, make([]byte, 64)...))
	f.Fuzz(func(t *testing.T, answer []byte) {
		rest, err := readAnswer(bytes.NewReader(answer))
		if err != nil {
			return
		}
		p := parser{rest: rest}
		p.skip(4)
		if got, err := p.fetched(); err == nil && len(got.batches) > len(answer) {
			t.Error("it holds more than came")
		}
	})
}

// A leader says where its partition ends before it reads: it may send records that
// lie behind that. What is read can be committed.
func TestRecordsBehindTheEnd(t *testing.T) {
	batch, _, err := newPacker(kafka.Zstd).recordSet(readerOf(various(0)...))
	if err != nil {
		t.Fatal(err)
	}
	c := newClaim(&member{log: &Log{unpacker: newUnpacker(8 << 20)}}, 0, place{end: 2}, ticket{}, nil)
	c.readers[0].open(batch[sizeBytes:], 0)
	records, next, err := c.fetch(t.Context(), nil, 0, 64<<20)
	if err != nil || len(records) != len(various(0)) || next != int64(len(records)) {
		t.Fatalf("%d records, on at %d, %v", len(records), next, err)
	}
	if err := (stream.Position{Offset: next}).Check(c.End()); err != nil {
		t.Error(err)
	}
}
