package cost

import (
	"bytes"
	"fmt"
	"io/fs"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/stream/kafka/kafkatest"
)

// BenchmarkRoles tells what each role uses for an event, with all builtin rules and
// three brokers, besides what it uses when nothing comes: 'together' sends 100
// thousand events as fast as they are taken through a process for each role, 'apart'
// has them wait in the log and the roles work one after the other, so that they do
// not take each other's processor. ClickHouse's share is with its merges.
func BenchmarkRoles(b *testing.B) {
	w, text := startAll(b, kafkatest.Start(b, 3)), body(b)
	perPost := bytes.Count(text, []byte(`"auditID"`))
	var posted atomic.Int64
	send := func(b *testing.B) {
		each(b, func() error {
			n := int(posted.Add(1))
			return w.post(b.Context(), anew(text, n, fmt.Sprint("probe-", n)))
		})
	}
	matches := func() float64 { return sum(b, w.roles["match"].metrics, "klaxon_match_matches_total") }
	stored := func() {
		w.until(b, "SELECT count() FROM klaxon.audit_events", strconv.FormatInt(posted.Load()*int64(perPost), 10))
		w.idle(b, "store")
	}
	for range 2 { // what only the first events cost
		send(b)
		stored()
	}
	w.untilMerged(b)
	events := float64(posts * perPost)
	before := w.use(b)
	time.Sleep(10 * time.Second)
	rest := before.since(b)
	rest.tell(b, "a second without events", rest.took.Seconds())
	b.Run("together", func(b *testing.B) {
		before, logged := w.use(b), w.logBytes(b)
		send(b)
		stored()
		rate := events / time.Since(before.at).Seconds()
		w.untilMerged(b)
		before.since(b).without(rest).tell(b, "an event", events)
		b.Logf("%.0f events a second; bytes of an event: %d sent, %.0f in the log, %s in ClickHouse", rate, len(text)/perPost,
			(w.logBytes(b)-logged)/events, w.query(b, "SELECT round(sum(bytes_on_disk) / sum(rows)) FROM system.parts WHERE active AND database = 'klaxon' AND table = 'audit_events'"))
	})
	b.Run("apart", func(b *testing.B) {
		before, matched := w.use(b), matches()
		stages := []string{"match", "window", "store"}
		for _, role := range stages {
			if err := w.roles[role].Pause(); err != nil {
				b.Fatal(err)
			}
		}
		send(b)
		for _, role := range stages {
			if err := w.roles[role].Resume(); err != nil {
				b.Fatal(err)
			}
			if role == "store" {
				stored()
			} else {
				w.idle(b, role)
			}
		}
		w.untilMerged(b)
		used := before.since(b).without(rest)
		used.tell(b, "an event", events)
		matched = matches() - matched
		b.Logf("%.3f matches an event, %.1f µs of window a match", matched/events, used.micros("window", matched))
	})
}

// use is the processor time of the processes, by name, at a time or since a time.
type use struct {
	w    *whole
	at   time.Time
	took time.Duration
	of   map[string]time.Duration
}

func (w *whole) use(b *testing.B) use {
	b.Helper()
	u := use{w: w, at: time.Now(), of: map[string]time.Duration{"engine": of(b, w.engine.PID())}}
	for id := range w.cluster.Bootstrap() {
		u.of["brokers"] += of(b, w.cluster.PID(id+1))
	}
	for role, p := range w.roles {
		u.of[role] = of(b, p.PID())
	}
	return u
}

// since returns what has been used since.
func (u use) since(b *testing.B) use {
	b.Helper()
	now := u.w.use(b)
	now.took = now.at.Sub(u.at)
	for name := range now.of {
		now.of[name] -= u.of[name]
	}
	return now
}

// without returns the use without that of as long a time of another use.
func (u use) without(rest use) use {
	for name := range u.of {
		u.of[name] -= time.Duration(float64(rest.of[name]) * u.took.Seconds() / rest.took.Seconds())
	}
	return u
}

// micros is the use of one of n.
func (u use) micros(name string, n float64) float64 { return float64(u.of[name].Microseconds()) / n }

// tell reports what one of n used.
func (u use) tell(b *testing.B, what string, n float64) {
	b.Helper()
	klaxon := 0.0
	for _, role := range []string{"ingest", "match", "window", "store"} {
		klaxon += u.micros(role, n)
	}
	b.ReportMetric(0, "ns/op")
	b.Logf("%s: klaxon %.1f µs (ingest %.1f, match %.1f, window %.1f, store %.1f), brokers %.1f, ClickHouse %.1f", what, klaxon,
		u.micros("ingest", n), u.micros("match", n), u.micros("window", n), u.micros("store", n), u.micros("brokers", n), u.micros("engine", n))
}

// idle waits until a role has consumed all that is in the log.
func (w *whole) idle(b *testing.B, role string) {
	b.Helper()
	time.Sleep(time.Second) // it learns of what there is as it reads
	deadline := time.Now().Add(3 * time.Minute)
	for quiet := 0; quiet < 5; quiet++ {
		time.Sleep(100 * time.Millisecond)
		if sum(b, w.roles[role].metrics, "klaxon_log_lag_records") > 0 {
			quiet = 0
		}
		if time.Now().After(deadline) {
			b.Fatalf("%s is behind still", role)
		}
	}
}

// untilMerged waits until ClickHouse merges nothing more.
func (w *whole) untilMerged(b *testing.B) {
	b.Helper()
	for range 3 {
		time.Sleep(time.Second)
		w.until(b, "SELECT count() FROM system.merges", "0")
	}
}

func (w *whole) until(b *testing.B, sql, want string) {
	b.Helper()
	var got string
	for deadline := time.Now().Add(3 * time.Minute); time.Now().Before(deadline) && !b.Failed(); time.Sleep(100 * time.Millisecond) {
		if got = w.query(b, sql); got == want {
			return
		}
	}
	b.Fatalf("%s: %s, not %s", sql, got, want)
}

// logBytes is what the topic of events takes on a broker's disk.
func (w *whole) logBytes(b *testing.B) float64 {
	b.Helper()
	dirs, err := filepath.Glob(filepath.Join(w.cluster.Data(1), w.topics+"."+topic.Events+"-*"))
	if err != nil || len(dirs) != partitions {
		b.Fatalf("%d partitions on the disk of the broker, %v", len(dirs), err)
	}
	var size float64
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".log") {
				return err
			}
			info, err := e.Info()
			if err == nil {
				size += float64(info.Size())
			}
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	return size
}

// sum adds up what a process says of a metric.
func sum(b *testing.B, url, metric string) float64 {
	b.Helper()
	answer, err := http.Get(url)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(answer.Body)
	if err != nil {
		b.Fatal(err)
	}
	if families[metric] == nil {
		b.Fatalf("%s has no metric %s", url, metric)
	}
	var n float64
	for _, m := range families[metric].GetMetric() {
		n += m.GetCounter().GetValue() + m.GetGauge().GetValue()
	}
	return n
}
