package cost

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/e2e/process"
	"github.com/klaxon-dev/klaxon/internal/datadir"
	"github.com/klaxon-dev/klaxon/internal/stage"
	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/rules"
	"github.com/klaxon-dev/klaxon/rules/rulegen"
	"github.com/klaxon-dev/klaxon/stream"
	klaxonkafka "github.com/klaxon-dev/klaxon/stream/kafka"
	"github.com/klaxon-dev/klaxon/stream/kafka/kafkatest"
)

// Sizes of a measurement. The best of several is told: others had less of the
// machine.
const (
	partitions = 12
	posts      = 250 // of 400 events
	callers    = 8
	runs       = 5
)

var shared kafkatest.Shared

func TestMain(m *testing.M) { shared.Main(m) }

// body is a recorded POST of 400 Metadata events.
func body(b *testing.B) []byte {
	b.Helper()
	files, err := filepath.Glob("../../testdata/webhook-posts/metadata-000009-*.json.gz")
	if err != nil || len(files) != 1 {
		b.Fatalf("the recorded POST: %v, %v", files, err)
	}
	f, err := os.Open(files[0])
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	plain, err := audit.Decompress(f)
	if err != nil {
		b.Fatal(err)
	}
	text, err := io.ReadAll(plain)
	if err != nil {
		b.Fatal(err)
	}
	return text
}

// records are those that become of a POST.
func records(b *testing.B, text []byte) []stream.Record {
	b.Helper()
	items := audit.NewSplitter(bytes.NewReader(text), audit.SplitLimits{MaxItemBytes: 1 << 20})
	var out []stream.Record
	for {
		var e audit.Event
		item, err := items.NextEvent(&e)
		if err == io.EOF {
			return out
		}
		if err != nil {
			b.Fatal(err)
		}
		event := topic.Event{Kind: topic.KindEvent, ID: e.ID("prod"), Cluster: "prod", Sender: "i1/prod", Received: time.Now(), Item: bytes.Clone(item)}
		out = append(out, event.Record(partitions))
	}
}

// config is that of a place of its own in a cluster, with its topics.
func config(b *testing.B, cluster *kafkatest.Cluster) klaxonkafka.Config {
	b.Helper()
	c := klaxonkafka.Config{Brokers: cluster.Bootstrap(), Prefix: kafkatest.Name(b), SingleBroker: len(cluster.Bootstrap()) == 1, Partitions: partitions}
	c.SetDefaults()
	if _, err := klaxonkafka.Init(b.Context(), c, topic.Layout(partitions), klaxonkafka.InitOptions{}); err != nil {
		b.Fatal(err)
	}
	return c
}

// each calls f for so many posts, from all callers at once.
func each(b *testing.B, f func() error) {
	b.Helper()
	var next atomic.Int64
	var work sync.WaitGroup
	for range callers {
		work.Go(func() {
			for next.Add(1) <= posts {
				if err := f(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	work.Wait()
}

// self is the processor time of this process.
func self(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// of is the processor time of a process, in steps of a hundredth of a second.
func of(b *testing.B, pid int) time.Duration {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	user, err1 := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	if err1 != nil || err2 != nil {
		b.Fatalf("/proc/%d/stat: %s", pid, text)
	}
	return time.Duration(user+system) * 10 * time.Millisecond
}

// tell reports a ratio instead of the time that went by.
func tell(b *testing.B, ratio float64) {
	b.Helper()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(ratio, "ratio")
}

// least is the least of several measurements, per event.
type least struct{ d time.Duration }

func (l *least) note(d time.Duration, events int) time.Duration {
	one := d / time.Duration(events)
	if l.d == 0 || one < l.d {
		l.d = one
	}
	return one
}

// BenchmarkIngest compares what the process that takes events uses, TLS and all, with
// kafka-go's own Writer on the same records.
func BenchmarkIngest(b *testing.B) {
	text := body(b)
	same := records(b, text)
	c := config(b, shared.Cluster(b))
	serve := startIngest(b, c, "")
	writer := &kafka.Writer{
		Addr: kafka.TCP(c.Brokers...), Topic: c.Topic(topic.Events), RequiredAcks: kafka.RequireAll, Compression: kafka.Zstd,
		Balancer:  kafka.BalancerFunc(func(m kafka.Message, _ ...int) int { return m.WriterData.(int) }),
		BatchSize: 500, BatchBytes: 8 << 20, BatchTimeout: 5 * time.Millisecond,
	}
	defer func() { _ = writer.Close() }()
	messages := func() []kafka.Message {
		out := make([]kafka.Message, len(same))
		for i, r := range same {
			out[i] = kafka.Message{Key: r.Key, Value: r.Value, WriterData: r.Partition}
			for _, h := range r.Headers {
				out[i].Headers = append(out[i].Headers, kafka.Header{Key: h.Key, Value: h.Value})
			}
		}
		return out
	}
	var alone, ingest least
	for range runs {
		before := self(b)
		each(b, func() error { return writer.WriteMessages(b.Context(), messages()...) })
		one := alone.note(self(b)-before, posts*len(same))
		before = of(b, serve.PID())
		each(b, func() error { return serve.post(b.Context(), text) })
		b.Logf("writer alone %v, ingest %v an event", one, ingest.note(of(b, serve.PID())-before, posts*len(same)))
	}
	tell(b, float64(ingest.d)/float64(alone.d))
	b.Logf("ingest %v an event, %.0f events a second of a processor; kafka-go's Writer alone %v; ratio %.2f",
		ingest.d, 1/ingest.d.Seconds(), alone.d, float64(ingest.d)/float64(alone.d))
}

// start starts klaxon until the benchmark ends; what it says goes to a file.
func start(b *testing.B, log string, args ...string) *process.Process {
	b.Helper()
	p, err := process.Start(klaxon(b), log, args...)
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

// klaxon is the path of the program.
func klaxon(b *testing.B) string {
	b.Helper()
	path, err := filepath.Abs("../../bin/klaxon")
	if err != nil {
		b.Fatal(err)
	}
	return path
}

// ready waits until a URL of a process answers with 200.
func ready(b *testing.B, p *process.Process, url string) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	if err := p.UntilReady(ctx, http.DefaultClient, url); err != nil {
		b.Fatal(err)
	}
}

// service is a klaxon with one role.
type service struct {
	*process.Process
	data             string // directory
	webhook, metrics string // URLs
}

// startRole starts one in a directory, with further lines of configuration.
func startRole(b *testing.B, c klaxonkafka.Config, role, dir, lines string) *service {
	b.Helper()
	webhook, metrics := freePort(b), freePort(b)
	key, file, data := filepath.Join(dir, "redaction.key"), filepath.Join(dir, role+".yaml"), filepath.Join(dir, role)
	brokers, err := json.Marshal(c.Brokers)
	if err != nil {
		b.Fatal(err)
	}
	write(b, key, strings.Repeat("k", 40))
	write(b, file, fmt.Sprintf(`
roles: [%s]
ingest: {listen: "127.0.0.1:%s", instance: i1}
metrics: {listen: "127.0.0.1:%s"}
redaction: {key_file: %s}
stream: {kind: kafka, kafka: {brokers: %s, single_broker: %t, prefix: %s, session_timeout: 1m}}
%s
`, role, webhook, metrics, key, brokers, c.SingleBroker, c.Prefix, lines))
	p := start(b, filepath.Join(dir, role+".log"), "serve", "--config", file, "--data-dir", data)
	ready(b, p, "http://127.0.0.1:"+metrics+"/readyz")
	return &service{p, data, "https://127.0.0.1:" + webhook + "/webhook/prod", "http://127.0.0.1:" + metrics + "/metrics"}
}

// receiver is a service that takes events, and what one needs to send them.
type receiver struct {
	*service
	token  string
	client *http.Client
}

func newReceiver(b *testing.B, s *service) *receiver {
	b.Helper()
	return &receiver{s, token(b, klaxon(b), s.data), clientOf(b, datadir.Dir(s.data))}
}

// startIngest starts a receiver, with further lines of configuration.
func startIngest(b *testing.B, c klaxonkafka.Config, lines string) *receiver {
	b.Helper()
	return newReceiver(b, startRole(b, c, "ingest", b.TempDir(), lines))
}

func (s *receiver) post(ctx context.Context, text []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.webhook, bytes.NewReader(text))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+s.token)
	answer, err := s.client.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode == http.StatusServiceUnavailable {
		time.Sleep(100 * time.Millisecond) // as above
		return s.post(ctx, text)
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the webhook answers %s", answer.Status)
	}
	return nil
}

func clientOf(b *testing.B, data datadir.Dir) *http.Client {
	b.Helper()
	local, err := data.ReadClient()
	if err != nil {
		b.Fatal(err)
	}
	ca, err := os.ReadFile(local.WebhookCAFile)
	if err != nil {
		b.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	return &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: roots}}}
}

func freePort(b *testing.B) string {
	b.Helper()
	port, err := process.FreePort()
	if err != nil {
		b.Fatal(err)
	}
	return port
}

func write(b *testing.B, path, text string) {
	b.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkMatch compares matching against 200 rules, one event in a hundred of which
// matches, with reading and scanning alone.
func BenchmarkMatch(b *testing.B) {
	c := config(b, shared.Cluster(b))
	log, err := klaxonkafka.Open(b.Context(), c, klaxonkafka.Options{Topics: []string{topic.Events, topic.Matches, topic.Blind}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	same := records(b, body(b))
	each(b, func() error {
		for { // brokers that have just made the topics refuse some
			if err := log.Append(b.Context(), topic.Events, same); !errors.Is(err, stream.ErrUnavailable) {
				return err
			}
		}
	})
	set := quiet(b, same)
	events := posts * len(same)
	var alone, matching least
	for i := range runs {
		before := self(b)
		consume(b, log, fmt.Sprint("alone-", i), events, scanOnly)
		one := alone.note(self(b)-before, events)
		s := stage.NewMatching(set, log, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
		before = self(b)
		consume(b, log, fmt.Sprint("match-", i), events, s.Handle)
		b.Logf("reading and scanning %v, matching %v an event", one, matching.note(self(b)-before, events))
	}
	tell(b, float64(matching.d)/float64(alone.d))
	b.Logf("matching %v an event, %.0f events a second of a processor; reading and scanning alone %v; ratio %.2f",
		matching.d, 1/matching.d.Seconds(), alone.d, float64(matching.d)/float64(alone.d))
}

// quiet returns 200 rules, of which one matches one event in a hundred.
func quiet(b *testing.B, same []stream.Record) *rules.Set {
	b.Helper()
	generated, err := rulegen.Rules(1000)
	if err != nil {
		b.Fatal(err)
	}
	var e audit.Event
	some := map[string]bool{}
	for i := range same {
		e.Reset()
		if err := audit.Scan(same[i].Value, &e); err != nil {
			b.Fatal(err)
		}
		if len(some) < len(same)/100 {
			some[strconv.Quote(e.AuditID)] = true
		}
	}
	var ids []string
	for id := range some {
		ids = append(ids, id)
	}
	parsed, problems := rules.Parse("one.yaml", []byte("id: one\ntitle: t\nseverity: low\nwhen: 'auditID in ["+strings.Join(ids, ", ")+"]'\n"), rules.OriginUser)
	if len(problems) > 0 {
		b.Fatal(problems.Error())
	}
	set, problems := rules.NewSet(append(generated.Rules[len(generated.Rules)-199:], parsed...))
	if len(problems) > 0 {
		b.Fatal(problems.Error())
	}
	return set
}

// scanOnly reads a partition and scans its events.
func scanOnly(ctx context.Context, claim stream.Claim) error {
	var event audit.Event
	for next := claim.Position().Offset; ; {
		records, err := claim.Read(ctx, next, 4<<20)
		if err != nil {
			return ifAlive(ctx, err)
		}
		for i := range records {
			e, err := topic.DecodeEvent(&records[i])
			if err != nil {
				return err
			}
			event.Reset()
			if err := audit.Scan(e.Item, &event); err != nil {
				return err
			}
		}
		next = records[len(records)-1].Offset + 1
		if err := claim.Commit(ctx, stream.Position{Offset: next}); err != nil {
			return ifAlive(ctx, err)
		}
	}
}

func ifAlive(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// consume runs a handler until a group has consumed so many events.
func consume(b *testing.B, log stream.Log, group string, events int, handle func(context.Context, stream.Claim) error) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 5*time.Minute)
	defer cancel()
	var done atomic.Int64
	err := log.Consume(ctx, topic.Events, group, func(ctx context.Context, claim stream.Claim) error {
		return handle(ctx, counted{claim, func(n int64) {
			if done.Add(n) >= int64(events) {
				cancel()
			}
		}})
	})
	if err != nil && done.Load() < int64(events) {
		b.Fatal(err)
	}
}

// counted tells how far a claim has come.
type counted struct {
	stream.Claim
	came func(records int64)
}

func (c counted) Commit(ctx context.Context, p stream.Position) error {
	before := c.Position().Offset
	if err := c.Claim.Commit(ctx, p); err != nil {
		return err
	}
	c.came(p.Offset - before)
	return nil
}

// token makes a credential for the cluster prod.
func token(b *testing.B, binary, data string) string {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), binary, "sender", "add", "prod", "-o", "kubeconfig")
	cmd.Env = append(os.Environ(), datadir.EnvDir+"="+data)
	text, err := cmd.Output()
	if err != nil {
		b.Fatal(err)
	}
	found := regexp.MustCompile(`token: *"?([^"\s]+)`).FindSubmatch(text)
	if found == nil {
		b.Fatalf("no token in %s", text)
	}
	return string(found[1])
}
