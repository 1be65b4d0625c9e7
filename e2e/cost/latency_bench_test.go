package cost

import (
	"bytes"
	"context"
	"encoding/json"
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
	"github.com/klaxon-dev/klaxon/internal/datadir"
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
	*ingestProcess
	engine, password string
	cluster          *kafkatest.Cluster
	topics           string                      // the prefix of their names
	processes        map[string]*process.Process // by role, and "engine"
	urls             map[string]string           // of their metrics
}

func startAll(b *testing.B, cluster *kafkatest.Cluster) *whole {
	b.Helper()
	c := config(b, cluster)
	brokers, err := json.Marshal(c.Brokers)
	if err != nil {
		b.Fatal(err)
	}
	dir := b.TempDir()
	binary, err := filepath.Abs("../../bin/klaxon")
	if err != nil {
		b.Fatal(err)
	}
	run := func(name string, args ...string) *process.Process {
		b.Helper()
		p, err := process.Start(binary, filepath.Join(dir, name+".log"), args...)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() {
			if err := p.Stop(time.Minute); err != nil {
				b.Error(err)
			}
		})
		return p
	}
	w := &whole{engine: "127.0.0.1:" + freePort(b), cluster: cluster, topics: c.Prefix, processes: map[string]*process.Process{}, urls: map[string]string{}}
	engine := run("engine", "engine", "run", "--path", filepath.Join(dir, "engine"), "--listen", w.engine)
	w.processes["engine"] = engine
	ready(b, engine, "http://"+w.engine+"/ping")
	password, err := os.ReadFile(filepath.Join(dir, "engine", "password"))
	if err != nil {
		b.Fatal(err)
	}
	w.password = strings.TrimSpace(string(password))
	key, rule := filepath.Join(dir, "redaction.key"), filepath.Join(dir, "probe.yaml")
	write(b, key, strings.Repeat("k", 40))
	write(b, rule, probeRule)
	for _, role := range []string{"store", "window", "match", "ingest"} {
		webhook, metrics := freePort(b), freePort(b)
		file, data := filepath.Join(dir, role+".yaml"), filepath.Join(dir, role)
		write(b, file, fmt.Sprintf(`
roles: [%s]
ingest: {listen: "127.0.0.1:%s", instance: i1}
metrics: {listen: "127.0.0.1:%s"}
redaction: {key_file: %s}
rules: {paths: [%s]}
store: {kind: clickhouse, dsn: "http://default:%s@%s/default"}
stream: {kind: kafka, kafka: {brokers: %s, single_broker: %t, prefix: %s, session_timeout: 1m}}
`, role, webhook, metrics, key, rule, w.password, w.engine, brokers, c.SingleBroker, c.Prefix))
		p := run(role, "serve", "--config", file, "--data-dir", data)
		ready(b, p, "http://127.0.0.1:"+metrics+"/readyz")
		w.processes[role], w.urls[role] = p, "http://127.0.0.1:"+metrics+"/metrics"
		if role == "ingest" {
			w.ingestProcess = &ingestProcess{
				pid: p.PID(), url: "https://127.0.0.1:" + webhook + "/webhook/prod",
				token: token(b, binary, data), client: clientOf(b, datadir.Dir(data)),
			}
		}
	}
	return w
}

// probes returns the actors that the rule probe has findings of.
func (w *whole) probes(b *testing.B) []string {
	return strings.Fields(w.query(b, "SELECT DISTINCT actor FROM klaxon.findings WHERE rule = 'probe'"))
}

// query returns the engine's answer, and an empty one when the benchmark has failed.
func (w *whole) query(b *testing.B, sql string) string {
	r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, "http://"+w.engine+"/", strings.NewReader(sql))
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

func ready(b *testing.B, p *process.Process, url string) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	if err := p.UntilReady(ctx, http.DefaultClient, url); err != nil {
		b.Fatal(err)
	}
}
