package store

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/internal/query"
	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/stream"
)

// readFile returns a recorded file, unpacked where it is compressed.
func readFile(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Ext(path) != ".gz" {
		return data
	}
	plain, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if data, err = io.ReadAll(plain); err != nil {
		t.Fatal(err)
	}
	return data
}

// posted returns the items of all recorded POSTs, in order of their files; some
// came more than once.
func posted(t testing.TB) [][]byte {
	t.Helper()
	files, err := filepath.Glob("../testdata/webhook-posts/*.json*")
	if err != nil || len(files) != 50 {
		t.Fatalf("%d recorded POSTs, %v: want 50", len(files), err)
	}
	var items [][]byte
	for _, file := range files {
		var list struct {
			Items []json.RawMessage `json:"items"`
		}
		if err := json.Unmarshal(readFile(t, file), &list); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, item := range list.Items {
			items = append(items, item)
		}
	}
	return items
}

// What was recorded comes back: one row for each distinct event, and from its
// row the very event with the very id, even by the hashes of its bodies alone.
func TestRecordedEventsComeBack(t *testing.T) {
	h := newHarness(t, engine(t))
	log := newFakeLog()
	want := map[audit.EventID][]byte{}
	items := posted(t)
	for _, item := range items {
		r := eventRecord(t, "prod-1", item, noon)
		var e audit.Event
		if err := audit.Scan(item, &e); err != nil {
			t.Fatal(err)
		}
		want[audit.EventID(r.Key)] = audit.AppendJSON(nil, &e)
		log.append(noon, r)
	}
	h.consume(log, (*Store).WriteEvents)

	got := h.all(query.Events{Limit: query.MaxLimit})
	if len(got) != len(want) {
		t.Errorf("%d events of %d items are stored, want %d", len(got), len(items), len(want))
	}
	for i := range got {
		e := &got[i]
		if id := e.Event.ID(e.Cluster); id != e.ID {
			t.Errorf("event %s: its row gives the id %s", e.ID, id)
		}
		if diff := cmp.Diff(string(want[e.ID]), string(audit.AppendJSON(nil, &e.Event))); diff != "" {
			t.Errorf("event %s differs (-sent +stored):\n%s", e.ID, diff)
		}
		if want := e.Event.RequestID(e.Cluster); e.Request != want {
			t.Errorf("event %s: request id %s, want %s", e.ID, e.Request, want)
		}
		if !e.Received.Equal(noon) {
			t.Errorf("event %s: received %s, want %s", e.ID, e.Received, noon)
		}
	}
	h.checkHashes()
	if got, want := h.count("duplicates", "memory"), float64(len(items)-len(want)); got != want {
		t.Errorf("%v copies counted, want %v", got, want)
	}
}

// checkHashes recomputes every id from the row without its bodies.
func (h *harness) checkHashes() {
	h.t.Helper()
	rows, err := h.store.reads.Query(h.t.Context(), fmt.Sprintf("SELECT %[1]s FROM audit_events UNION ALL SELECT %[1]s FROM audit_events_misdated", names(eventColumns)))
	if err != nil {
		h.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var r row
		if err := scan(rows, eventColumns, &r); err != nil {
			h.t.Fatal(err)
		}
		e := r.stored().Event
		var bodies audit.BodyHashes
		if r.requestHash != [32]byte{} {
			bodies.Request = &r.requestHash
		}
		if r.responseHash != [32]byte{} {
			bodies.Response = &r.responseHash
		}
		e.RequestObject, e.ResponseObject = nil, nil
		if id := e.IDHashed(audit.ClusterID(r.cluster), bodies); id != r.id {
			h.t.Errorf("event %s: its row without bodies gives the id %s", r.id, id)
		}
	}
	if err := rows.Err(); err != nil {
		h.t.Fatal(err)
	}
}

// Times beyond what the table holds are kept at its edge, with the reason, and
// neither the event nor its copy is lost to the index.
func TestTimesOutsideTheRange(t *testing.T) {
	h := newHarness(t, engine(t))
	times := []string{
		"0001-01-01T00:00:00.000000Z", "1899-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z",
		"1970-01-01T00:00:00.000000Z", "1970-01-01T00:00:00.000001Z", "2038-01-19T03:14:08.000000Z",
		"2105-12-31T23:59:59.999999Z", "2106-02-07T06:28:16.000000Z", "2149-06-07T00:00:00.000000Z",
		"2262-04-11T23:47:17.000000Z", "2299-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z",
	}
	var records []stream.Record
	for _, at := range times {
		item := strings.ReplaceAll(string(sample{auditID: at, time: noon}.item()), "2026-11-21T12:00:00.000000Z", at)
		records = append(records, eventRecord(t, "prod-1", []byte(item), noon))
		// And with one of the two in range.
		item = strings.Replace(string(sample{auditID: "received " + at, time: noon}.item()), "2026-11-21T12:00:00.000000Z", at, 1)
		records = append(records, eventRecord(t, "prod-1", []byte(item), noon))
	}
	records = append(records, eventRecord(t, "prod-1", []byte(`{"level":"Metadata","auditID":"none","stage":"Panic"}`), noon))
	for round := range 2 {
		log := newFakeLog() // anew: only the store knows of the first round
		for _, r := range records {
			log.append(noon.Add(time.Duration(round)*time.Hour), r)
		}
		h.consume(log, (*Store).WriteEvents)
	}
	if got := h.count("duplicates", "store"); got != float64(len(records)) {
		t.Errorf("%v copies were found in the store, want %d", got, len(records))
	}
	got := h.all(query.Events{Limit: 7, Since: time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)})
	if len(got) != len(records) {
		t.Errorf("%d events are found, want %d", len(got), len(records))
	}
	for i := range got {
		if id := got[i].Event.ID(got[i].Cluster); id != got[i].ID {
			t.Errorf("event %s of %s: its row gives the id %s", got[i].ID, got[i].Event.AuditID, id)
		}
	}
	if n := h.rows("audit_events", "exact_ts != 0"); n != 0 {
		t.Errorf("%d rows at the edge of the range lie among the others", n)
	}
	if n := h.rows("audit_events_misdated", "time_reason = 'unrepresentable' AND exact_ts != 0"); n != 8+1 {
		t.Errorf("%d rows say that their time is outside, want %d", n, 8+1)
	}
	h.checkHashes()
}

// One insert may touch 100 days; events of hundreds of days come in at once.
func TestEventsOfManyDays(t *testing.T) {
	h := newHarness(t, engine(t))
	list := samples("days", 250, noon)
	for i := range list {
		list[i].time = noon.AddDate(0, 0, -(i*7)%125)
	}
	h.write(newFakeLog(), noon, list...)
	h.once(list...)
	if n := h.count("retries", "insert"); n != 0 {
		t.Errorf("%v inserts were refused", n)
	}
}

func TestHeartbeatsMoveThePosition(t *testing.T) {
	h := newHarness(t, engine(t))
	log := newFakeLog()
	beat := topic.Event{Kind: topic.KindHeartbeat, Sender: "test", Received: noon}
	log.append(noon, beat.Record(1))
	h.write(log, noon, samples("a", 1, noon)...)
	log.append(noon, beat.Record(1))
	h.consume(log, (*Store).WriteEvents)
	if got := log.committed().Offset; got != 3 {
		t.Errorf("position %d, want 3", got)
	}
	h.once(samples("a", 1, noon)...)
}

func TestRecordsThatAreNoEvents(t *testing.T) {
	h := newHarness(t, engine(t))
	h.dead.fail = 2 // the dead letters' own trouble costs no record
	log := newFakeLog()
	good := samples("good", 3, noon)
	log.append(noon, good[0].record(t, noon))
	log.append(noon, stream.Record{Value: []byte("no headers")})
	log.append(noon, good[1].record(t, noon))
	broken := good[2].record(t, noon)
	broken.Key = append([]byte{1}, broken.Key[1:]...)
	broken.Value = []byte(`{"level":`)
	log.append(noon, broken)
	log.append(noon, good[2].record(t, noon))
	h.consume(log, (*Store).WriteEvents)
	h.once(good...)
	slices.Sort(h.dead.reasons) // letters are written side by side
	if diff := cmp.Diff([]string{reasonEvent, reasonRecord}, h.dead.reasons); diff != "" {
		t.Error(diff)
	}
	if n := h.count("set_aside", topic.Events, reasonEvent); n != 1 {
		t.Errorf("%v records counted, want 1", n)
	}
}

func TestNewerRecordStopsTheConsumer(t *testing.T) {
	h := newHarness(t, engine(t))
	log := newFakeLog()
	r := samples("a", 1, noon)[0].record(t, noon)
	for i := range r.Headers {
		if r.Headers[i].Key == "v" {
			r.Headers[i].Value = []byte("2.0")
		}
	}
	log.append(noon, r)
	err := h.store.WriteEvents(t.Context(), &fakeClaim{fakeLog: log})
	if err == nil || !strings.Contains(err.Error(), topic.ErrVersion.Error()) {
		t.Errorf("got %v, want %v", err, topic.ErrVersion)
	}
	if got := log.committed().Offset; got != 0 {
		t.Errorf("position %d, want 0", got)
	}
}

func TestLostRecordsAreAnAlarm(t *testing.T) {
	h := newHarness(t, engine(t))
	log := newFakeLog()
	list := samples("a", 5, noon)
	for _, e := range list {
		log.append(noon, e.record(t, noon))
	}
	log.remove(3)
	h.consume(log, (*Store).WriteEvents)
	h.once(list[3:]...)
	if n := h.count("lost", topic.Events); n != 3 {
		t.Errorf("%v lost records counted, want 3", n)
	}
}
