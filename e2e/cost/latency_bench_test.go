package cost

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klaxon-dev/klaxon/e2e/process"
	"github.com/klaxon-dev/klaxon/stream/kafka/kafkatest"
)

// probeRule finds the one event of each POST that is looked for.
const probeRule = `
id: probe
title: "{actor.name}"
severity: high
when: actor.name startsWith "probe-"
window: {by: [actor.name]}
`

// BenchmarkLatency sends POSTs of 400 events at a rate (KLAXON_RATE events a
// second, 4,000 by default) for half a minute through a process for each role, and
// measures how long it takes from the beginning of each POST until a finding of
// one of its events is in ClickHouse, besides all builtin rules at work.
func BenchmarkLatency(b *testing.B) {
	rate := 4000
	if text := os.Getenv("KLAXON_RATE"); text != "" {
		var err error
		if rate, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	text := body(b)
	events := bytes.Count(text, []byte(`"auditID"`))
	w := startAll(b, shared.Cluster(b))
	var mu sync.Mutex
	sent, took := map[string]time.Time{}, map[string]time.Duration{}
	stop := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		for {
			for _, actor := range w.probes(b) {
				mu.Lock()
				if _, known := took[actor]; !known {
					took[actor] = time.Since(sent[actor])
				}
				mu.Unlock()
			}
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
	var posting sync.WaitGroup
	tick := time.NewTicker(time.Second * time.Duration(events) / time.Duration(rate))
	defer tick.Stop()
	n := rate * 30 / events
	began := time.Now()
	for i := range n {
		<-tick.C
		name := fmt.Sprint("probe-", i)
		one := anew(text, i, name)
		mu.Lock()
		sent[name] = time.Now()
		mu.Unlock()
		posting.Go(func() {
			if err := w.post(b.Context(), one); err != nil {
				b.Error(err)
			}
		})
	}
	posting.Wait()
	spent := time.Since(began)
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		mu.Lock()
		found := len(took)
		mu.Unlock()
		if found == n {
			break
		}
	}
	close(stop)
	watching.Wait()
	if len(took) != n {
		b.Fatalf("%d findings of %d", len(took), n)
	}
	var all []time.Duration
	for _, d := range took {
		all = append(all, d)
	}
	slices.Sort(all)
	at := func(q float64) time.Duration { return all[min(int(q*float64(n)), n-1)].Round(time.Millisecond) }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(at(0.99).Seconds(), "p99-s")
	b.Logf("%.0f events a second: %d findings in the store after %v (p50), %v (p99), %v (the last)", float64(n*events)/spent.Seconds(), n, at(0.5), at(0.99), at(1))
}

var (
	auditIDs = regexp.MustCompile(`"auditID":"[0-9a-f]{8}`)
	times    = regexp.MustCompile(`"(requestReceivedTimestamp|stageTimestamp)":"[^"]*"`)
	username = regexp.MustCompile(`"username":"[^"]*"`)
)

// anew returns a POST with other events, of now, the first of which is somebody's.
func anew(text []byte, i int, who string) []byte {
	text = auditIDs.ReplaceAll(text, fmt.Appendf(nil, `"auditID":"%08x`, i))
	text = times.ReplaceAll(text, fmt.Appendf(nil, `"$1":"%s"`, time.Now().UTC().Format("2006-01-02T15:04:05.000000Z")))
	at := username.FindIndex(text)
	return slices.Concat(text[:at[0]], []byte(`"username":"`+who+`"`), text[at[1]:])
}

// whole is klaxon as a process for each role, and its engine.
type whole struct {
	*receiver
	cluster  *kafkatest.Cluster
	topics   string // the prefix of their names
	roles    map[string]*service
	engine   *process.Process
	address  string // of the engine
	password string
}

func startAll(b *testing.B, cluster *kafkatest.Cluster) *whole {
	b.Helper()
	c, dir := config(b, cluster), b.TempDir()
	w := &whole{cluster: cluster, topics: c.Prefix, roles: map[string]*service{}, address: "127.0.0.1:" + freePort(b)}
	w.engine = start(b, filepath.Join(dir, "engine.log"), "engine", "run", "--path", filepath.Join(dir, "engine"), "--listen", w.address)
	ready(b, w.engine, "http://"+w.address+"/ping")
	password, err := os.ReadFile(filepath.Join(dir, "engine", "password"))
	if err != nil {
		b.Fatal(err)
	}
	w.password = strings.TrimSpace(string(password))
	rule := filepath.Join(dir, "probe.yaml")
	write(b, rule, probeRule)
	for _, role := range []string{"store", "window", "match", "ingest"} {
		w.roles[role] = startRole(b, c, role, dir, fmt.Sprintf(`
rules: {paths: [%s]}
store: {kind: clickhouse, dsn: "http://default:%s@%s/default"}
`, rule, w.password, w.address))
	}
	w.receiver = newReceiver(b, w.roles["ingest"])
	return w
}

// probes returns the actors that the rule probe has findings of.
func (w *whole) probes(b *testing.B) []string {
	return strings.Fields(w.query(b, "SELECT DISTINCT actor FROM klaxon.findings WHERE rule = 'probe'"))
}

// query returns the engine's answer, and an empty one when the benchmark has failed.
func (w *whole) query(b *testing.B, sql string) string {
	r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, "http://"+w.address+"/", strings.NewReader(sql))
	if err != nil {
		b.Error(err)
		return ""
	}
	r.SetBasicAuth("default", w.password)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		b.Error(err)
		return ""
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		b.Errorf("ask the engine: %s %v: %s", answer.Status, err, text)
		return ""
	}
	return strings.TrimSpace(string(text))
}
