package store

import (
	"context"
	"strconv"
	"testing"

	"github.com/klaxon-dev/klaxon/stream"
)

// recordedBatch returns a batch of recorded events of all kinds, and their bytes.
func recordedBatch(b *testing.B, rows int) (records []stream.Record, bytes int64) {
	b.Helper()
	items := posted(b)
	for i, item := range items[:min(rows, len(items))] {
		r := eventRecord(b, "prod-1", item, noon)
		r.Offset, r.Time = int64(i), noon
		records, bytes = append(records, r), bytes+int64(len(item))
	}
	return records, bytes
}

// BenchmarkPlan makes rows of a batch of recorded events: decode, scan, hash.
func BenchmarkPlan(b *testing.B) {
	records, bytes := recordedBatch(b, 5000)
	b.SetBytes(bytes)
	b.ReportAllocs()
	for b.Loop() {
		ids := newSeen()
		ids.begin(records)
		if _, err := newPlan(0, records, ids, mostAge); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(records)*b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkFill turns the rows of a batch into columns and hands them to the
// driver.
func BenchmarkFill(b *testing.B) {
	h := newHarness(b, engine(b))
	records, bytes := recordedBatch(b, 5000)
	ids := newSeen()
	ids.begin(records)
	p, err := newPlan(0, records, ids, mostAge)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(bytes)
	b.ReportAllocs()
	for b.Loop() {
		batch, err := h.store.writes.PrepareBatch(context.Background(), "INSERT INTO audit_events ("+names(eventColumns)+")")
		if err != nil {
			b.Fatal(err)
		}
		if err := fill(batch, eventColumns, p.rows); err != nil {
			b.Fatal(err)
		}
		if err := batch.Abort(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(p.rows)*b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkWriteEvents stores a batch of recorded events in the engine, commits
// and all.
func BenchmarkWriteEvents(b *testing.B) {
	h := newHarness(b, engine(b))
	records, bytes := recordedBatch(b, 5000)
	b.SetBytes(bytes)
	rows := 0
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		log := newFakeLog()
		for _, r := range records {
			r.Key = append([]byte{byte(i >> 8), byte(i)}, r.Key[2:]...) // other events each time
			log.append(noon, r)
		}
		rows += len(records)
		b.StartTimer()
		h.consume(log, (*Store).WriteEvents)
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkWriteCopies catches up with a log file whose events all came a day
// before by another way: each is looked up and dropped.
func BenchmarkWriteCopies(b *testing.B) {
	h := newHarness(b, engine(b))
	records, bytes := recordedBatch(b, 5000)
	log := newFakeLog()
	for _, r := range records {
		log.append(noon, r)
	}
	h.consume(log, (*Store).WriteEvents)
	b.SetBytes(bytes)
	rows := 0
	for b.Loop() {
		log := newFakeLog()
		for _, r := range records {
			log.append(noon.AddDate(0, 0, 1), r)
		}
		rows += len(records)
		h.consume(log, (*Store).WriteEvents)
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkWriteEventsOfManyDays stores events each of another day, as a hostile
// sender may claim.
func BenchmarkWriteEventsOfManyDays(b *testing.B) {
	h := newHarness(b, engine(b))
	rows := 0
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		log := newFakeLog()
		for _, e := range samples(strconv.Itoa(i), 5000, noon) {
			e.time = minTime.AddDate(0, 0, rows%45_000)
			log.append(noon, e.record(b, noon))
			rows++
		}
		b.StartTimer()
		h.consume(log, (*Store).WriteEvents)
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkSeen adds ids to the set as a batch does.
func BenchmarkSeen(b *testing.B) {
	records, _ := recordedBatch(b, 5000)
	ids := newSeen()
	for i := 0; b.Loop(); i++ {
		if i%len(records) == 0 {
			ids.begin(records)
			ids.trim(noon, 2_000_000)
		}
		id := [16]byte(records[i%len(records)].Key)
		id[15], id[14], id[13] = byte(i>>8), byte(i>>16), byte(i>>24)
		ids.add(id)
	}
}
