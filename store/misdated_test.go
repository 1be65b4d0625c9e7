package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/internal/query"
	"github.com/klaxon-dev/klaxon/stream"
)

func (h *harness) misdated() map[string]float64 {
	h.t.Helper()
	counts := map[string]float64{}
	for _, reason := range query.TimeReasons() {
		var value dto.Metric
		if err := h.store.metrics.misdated.WithLabelValues(reason).Write(&value); err != nil {
			h.t.Fatal(err)
		}
		if n := value.GetCounter().GetValue(); n > 0 {
			counts[reason] = n
		}
	}
	return counts
}

// partitions returns how many partitions of a table hold rows.
func (h *harness) partitions(table string) (n uint64) {
	h.t.Helper()
	row := h.store.reads.QueryRow(h.t.Context(), "SELECT uniqExact(_partition_id) FROM "+table)
	if err := row.Scan(&n); err != nil {
		h.t.Fatal(err)
	}
	return n
}

func TestJudgeTime(t *testing.T) {
	config := DefaultConfig()
	f := func(name string, retention time.Duration, ts time.Time, want string) {
		t.Helper()
		config.Retention = retention
		r := row{received: noon, event: audit.Event{StageTime: ts}}
		r.setTimes()
		if got := r.judgeTime(config.maxAge()); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	const year, micro = 8760 * time.Hour, time.Microsecond
	f("now", year, noon, "")
	f("as old as the retention", year, noon.Add(-year), "")
	f("older than the retention", year, noon.Add(-year-micro), query.TimeTooOld)
	f("older than a short retention", 48*time.Hour, noon.Add(-48*time.Hour-micro), query.TimeTooOld)
	f("as old as a long retention allows", 10*year, noon.Add(-366*day), "")
	f("older than a year, in a long retention", 10*year, noon.Add(-366*day-micro), query.TimeTooOld)
	f("a day ahead", year, noon.Add(day), "")
	f("more than a day ahead", year, noon.Add(day+micro), query.TimeTooFarAhead)
	f("the last moment of the range", year, maxTime, query.TimeTooFarAhead)
	f("after the range", year, maxTime.Add(micro), query.TimeUnrepresentable)
	f("before the range", year, minTime.Add(-micro), query.TimeUnrepresentable)
	f("none", year, time.Time{}, query.TimeUnrepresentable)
}

// Of many days the newest are taken as they are, whatever order they came in and
// however many rows the others have.
func TestJudgeTimesTakesTheNewestDays(t *testing.T) {
	var rows []row
	for i := range 200 {
		age := (i * 37) % 200 // days
		for range 1 + age {
			rows = append(rows, row{received: noon, ts: noon.AddDate(0, 0, -age)})
		}
	}
	rows = append(rows, row{received: noon, ts: noon.AddDate(0, 0, 3)}) // takes no day's place
	judgeTimes(rows, mostAge)
	for _, r := range rows {
		age, want := int(noon.Sub(r.ts)/day), ""
		switch {
		case age < 0:
			want = query.TimeTooFarAhead
		case age >= spread:
			want = query.TimeScattered
		}
		if r.timeReason != want {
			t.Errorf("a row %d days old: got %q, want %q", age, r.timeReason, want)
		}
	}
}

func TestPartsKeepTheOrder(t *testing.T) {
	var rows []row
	for i, reason := range []string{"", "x", "", "", "x", "x", ""} {
		rows = append(rows, row{id: audit.EventID{byte(i)}, timeReason: reason, received: noon, ts: noon})
	}
	var got []string
	for _, p := range parts(rows) {
		for _, r := range p.rows {
			got = append(got, fmt.Sprintf("%s %d", p.table, r.id[0]))
		}
	}
	want := []string{
		"audit_events 0", "audit_events 2", "audit_events 3", "audit_events 6",
		"audit_events_misdated 1", "audit_events_misdated 4", "audit_events_misdated 5",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := parts(nil); len(got) != 0 {
		t.Errorf("nothing gave %d parts", len(got))
	}
}

// oddTimes are events of odd times and one of noon, with the reason of each.
func oddTimes() (list []sample, reasons []string) {
	for _, e := range []struct {
		id, reason string
		time       time.Time
	}{
		{"year-1200", query.TimeUnrepresentable, time.Date(1200, 1, 1, 0, 0, 0, 0, time.UTC)},
		{"year-1999", query.TimeTooOld, noon.AddDate(-27, 0, 0)},
		{"noon", "", noon},
		{"ahead", query.TimeTooFarAhead, noon.AddDate(0, 0, 2)},
		{"year-2200", query.TimeUnrepresentable, noon.AddDate(174, 0, 0)},
	} {
		list, reasons = append(list, sample{auditID: e.id, time: e.time}), append(reasons, e.reason)
	}
	return list, reasons
}

// What is kept apart is stored whole, counted, and found as all else is.
func TestMisdatedEvents(t *testing.T) {
	h := newHarness(t, engine(t))
	list, reasons := oddTimes()
	h.write(newFakeLog(), noon, list...)
	h.once(list...)
	h.checkHashes()
	want := map[string]float64{query.TimeTooOld: 1, query.TimeTooFarAhead: 1, query.TimeUnrepresentable: 2}
	if diff := cmp.Diff(want, h.misdated()); diff != "" {
		t.Error(diff)
	}
	if n := h.count("rows", tableEvents); n != 1 {
		t.Errorf("%v rows counted among the dated, want 1", n)
	}
	if n := h.count("rows", tableMisdated); n != 4 {
		t.Errorf("%v rows counted among the misdated, want 4", n)
	}
	for i, e := range list {
		got := h.all(query.Events{IDs: []audit.EventID{e.id(t)}})
		if len(got) != 1 || got[0].TimeReason != reasons[i] || !got[0].Event.StageTime.Equal(e.time) {
			t.Errorf("%s by its id: got %+v, want its time and the reason %q", e.auditID, got, reasons[i])
		}
	}

	f := func(name string, q query.Events, want string) {
		t.Helper()
		got := strings.Join(auditIDs(h.all(q)), " ")
		q.Limit = 1
		if pages := strings.Join(auditIDs(h.all(q)), " "); got != want || pages != want {
			t.Errorf("%s: got %q, one by one %q, want %q", name, got, pages, want)
		}
	}
	f("all, newest first", query.Events{}, "year-2200 ahead noon year-1999 year-1200")
	f("by time", query.Events{Since: noon.AddDate(-30, 0, 0), Until: noon.AddDate(0, 0, 3)}, "ahead noon year-1999")
	f("all that are kept apart", query.Events{TimeReasons: []string{"any"}}, "year-2200 ahead year-1999 year-1200")
	f("those that are not", query.Events{TimeReasons: []string{"none"}}, "noon")
	f("by a reason", query.Events{TimeReasons: []string{query.TimeTooOld}}, "year-1999")
	f("by reasons, or none", query.Events{TimeReasons: []string{"none", query.TimeTooFarAhead}}, "ahead noon")
	f("a reason of which there are none", query.Events{TimeReasons: []string{query.TimeScattered}}, "")
	f("another's", query.Events{TimeReasons: []string{"any"}, Allowed: []audit.ClusterID{"prod-2"}}, "")
	_, err := h.store.SearchEvents(t.Context(), query.Events{TimeReasons: []string{"*"}})
	var bad *query.FilterError
	if !errors.As(err, &bad) || bad.Filter != "time_reason" {
		t.Errorf("an unknown reason: got %v, want a refusal", err)
	}
}

// A copy that was received at another time may be judged otherwise, and is
// recognised all the same.
func TestCopiesAcrossTheTables(t *testing.T) {
	connection := engine(t)
	f := func(name string, ts, first, second time.Time, table string) {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, connection, func(c *Config) { c.Retention = 48 * time.Hour })
			e := sample{auditID: "x", time: ts}
			h.write(newFakeLog(), first, e)
			if n := h.rows(table, "1"); n != 1 {
				t.Errorf("%d rows in %s, want the event", n, table)
			}
			h.write(newFakeLog(), second, e)
			h.once(e)
			if n := h.count("duplicates", "store"); n != 1 {
				t.Errorf("%v copies found in the store, want 1", n)
			}
		})
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	at := func(hours int) time.Time { return now.Add(time.Duration(hours) * time.Hour) }
	f("first dated, then too old", at(-47), at(0), at(3), tableEvents)
	f("first too far ahead, then dated", at(25), at(0), at(3), tableMisdated)
	f("both too old", at(-24*1000), at(0), at(3), tableMisdated)
	f("both beyond the range", time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC), at(0), at(3), tableMisdated)
}

// A sender that claims another day for each event opens no partitions and costs
// the others little.
func TestEventsEachOnAnotherDay(t *testing.T) {
	h := newHarness(t, engine(t))
	const n = 20_000
	hostile, good := samples("hostile", n, noon), samples("good", n/4, noon)
	var mixed []sample
	for i := range hostile {
		hostile[i].time = time.Date(2050, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, i-n/2)
		mixed = append(mixed, hostile[i])
		if i%4 == 0 {
			good[i/4].time = noon
			mixed = append(mixed, good[i/4])
		}
	}
	log := newFakeLog()
	start := time.Now()
	h.write(log, noon, mixed...)
	t.Logf("%d events over %d days in %s", len(mixed), n, time.Since(start))
	h.once(mixed...)
	if got := h.partitions(tableEvents); got > 3*spread {
		t.Errorf("%d days are partitions", got)
	}
	if got := h.partitions(tableMisdated); got != 1 {
		t.Errorf("what is kept apart has %d partitions, want 1", got)
	}
	if got := h.rows(tableEvents, "audit_id LIKE 'good-%'"); got != n/4 {
		t.Errorf("%d of %d good events lie among the others", got, n/4)
	}
	counts := h.misdated()
	for _, reason := range []string{query.TimeTooOld, query.TimeTooFarAhead, query.TimeScattered} {
		if counts[reason] == 0 {
			t.Errorf("no event was counted as %s: %v", reason, counts)
		}
	}
	if n := h.count("retries", "insert"); n != 0 {
		t.Errorf("%v inserts were refused", n)
	}
	if n := h.count("batches", tableEvents); n > 4 {
		t.Errorf("%v ranges for %d events: the bound of rows is not used", n, len(mixed))
	}
}

// Recordings that a receiver took over many days, and a consumer that comes to
// them late: the partitions of one insert are bounded there too.
func TestMisdatedEventsOfManyReceipts(t *testing.T) {
	h := newHarness(t, engine(t))
	log := newFakeLog()
	list := samples("a", 2*maxDays+5, noon.AddDate(-10, 0, 0))
	for i, e := range list {
		log.append(noon, e.record(t, noon.AddDate(0, 0, i)))
	}
	h.consume(log, (*Store).WriteEvents)
	h.once(list...)
	if n := h.count("retries", "insert"); n != 0 {
		t.Errorf("%v inserts were refused", n)
	}
}

// A range that is repeated under another retention goes where it went.
func TestRetentionChangesAmidAnInsert(t *testing.T) {
	connection := engine(t)
	f := func(name string, before, after time.Duration, at int) {
		t.Run(fmt.Sprintf("%s, a crash at step %d", name, at), func(t *testing.T) {
			h := newHarness(t, connection, func(c *Config) { c.Retention = before })
			log := newFakeLog()
			list := samples("a", 10, noon)
			for i := range list {
				list[i].time = noon.Add(-time.Duration(i) * 10 * time.Hour)
			}
			for _, e := range list {
				log.append(noon, e.record(t, noon))
			}
			h.store.config.Batch.Rows = 1000
			h.live(log, at)
			h.store.config.Retention = after
			h.live(log, 0)
			h.once(list...)
		})
	}
	const short, long = 48 * time.Hour, 480 * time.Hour
	for at := 3; at <= 7; at++ { // from before the first insert to the commit
		f("shorter", long, short, at)
		f("longer", short, long, at)
	}
}

// What a klaxon without the second table had announced is repeated as it was.
func TestRangeOfAnOlderKlaxon(t *testing.T) {
	h := newHarness(t, engine(t))
	log := newFakeLog()
	list := samples("a", 2*maxDays, noon)
	for i := range list {
		list[i].time = noon.AddDate(0, 0, -10*i)
		log.append(noon, list[i].record(t, noon))
	}
	log.position = stream.Position{Metadata: fmt.Sprintf(`{"horizon":0,"until":%d}`, len(list))}
	h.consume(log, (*Store).WriteEvents)
	h.once(list...)
	if n := h.rows(tableMisdated, "1"); n != 0 {
		t.Errorf("%d rows are kept apart", n)
	}
}

// A row that the engine refuses is found among the misdated ones too.
func TestRefusedMisdatedRows(t *testing.T) {
	h := newHarness(t, engine(t))
	h.forbid(true)
	all, good := poisoned("a", 40, 3, 4, 20, 39)
	for _, list := range [][]sample{all, good} {
		for i := range list {
			if n := slices.Index([]byte(list[i].auditID), '-') + 1; (list[i].auditID[n]-'0')%2 == 0 {
				list[i].time = list[i].time.AddDate(50, 0, 0)
			}
		}
	}
	h.write(newFakeLog(), noon, all...)
	h.once(good...)
	var offsets []int64
	for _, r := range h.dead.records {
		offsets = append(offsets, r.Offset)
	}
	if diff := cmp.Diff([]int64{3, 4, 20, 39}, sorted(offsets)); diff != "" {
		t.Error(diff)
	}
}
