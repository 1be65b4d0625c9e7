package main

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/klaxon-dev/klaxon/stream/kafka/kafkatest"
)

// A client that may write to the topics writes anything there, among events that
// are acknowledged: all of those are stored, nothing ends or is started again, no
// log or memory is filled, and nothing of what was written is logged.
func TestStrangersInTopics(t *testing.T) {
	brokers := kafkatest.Start(t, 1)
	prefix := kafkatest.Name(t)
	i := installOnKafka(t, brokers, prefix, "2m")
	bodies := posts(t)[:30]
	post := func(bodies [][]byte) {
		t.Helper()
		for n, body := range bodies {
			if code := i.post(body); code != 200 {
				t.Fatalf("body %d was answered with %d", n, code)
			}
		}
	}
	post(bodies[:10])
	written := strange(t, brokers, prefix)
	post(bodies[10:])
	if err := os.WriteFile(filepath.Join(i.dir, "data", "redaction.key"), bytes.Repeat([]byte("k"), 32), 0o600); err != nil {
		t.Fatal(err)
	}
	want := i.ids(bodies)
	i.until("the store holds what was acknowledged", func() error {
		got, err := i.stored()
		if err != nil {
			return err
		}
		got = slices.DeleteFunc(got, func(id string) bool { return !slices.Contains(want, id) })
		if diff := cmp.Diff(want, got); diff != "" {
			return fmt.Errorf("%d rows, want %d; (-want +got):\n%s", len(got), len(want), lastLines(diff, 20))
		}
		return nil
	})
	i.drained()
	said := i.log.String()
	lines := 0
	for line := range strings.Lines(said) {
		if strings.Contains(line, "level=ERROR") || strings.Contains(line, "level=WARN") {
			lines++
			if lines < 40 {
				t.Logf("%.400s", line)
			}
		}
	}
	t.Logf("%d records were written; %d lines were logged, %d of them warnings", written, strings.Count(said, "\n"), lines)
	if strings.Contains(said, marker) {
		t.Error("what was written is in the log")
	}
	if lines > 100 {
		t.Errorf("%d lines of warnings", lines)
	}
	i.checkMetrics()
	peak := i.peakMemory()
	t.Logf("its peak memory is %d MiB", peak>>20)
	if peak > 1<<30 {
		t.Error("that is too much")
	}
}

// marker is in all that strangers write.
const marker = "hunter2-4f1e"

// strange writes records of all kinds to every partition, and returns how many.
func strange(t *testing.T, brokers *kafkatest.Cluster, prefix string) (written int) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers.Bootstrap()...), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchMaxBytes(9<<20), kgo.MaxBufferedRecords(100_000))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	now := time.Now().UTC().Format(time.RFC3339Nano)
	good := map[string]string{
		"v": "1.0", "kind": "event", "received": now, "sender": marker, "cluster": marker, "source": "0/3",
		"from": now, "length": "1", "reason": "x", "id": "0123456789abcdef",
	}
	headers := func(change ...string) (all []kgo.RecordHeader) {
		mine := maps.Clone(good)
		for i := 0; i < len(change); i += 2 {
			mine[change[i]] = change[i+1]
		}
		for _, key := range slices.Sorted(maps.Keys(mine)) {
			all = append(all, kgo.RecordHeader{Key: key, Value: []byte(mine[key])})
		}
		return all
	}
	long := strings.Repeat(marker, 1<<13)
	zeros := make([]byte, 8<<20)
	records := []kgo.Record{
		{}, {Key: []byte{}, Value: []byte{}}, {Key: []byte(marker)}, {Value: zeros}, {Key: []byte(long), Value: []byte(long)},
		{Headers: slices.Repeat([]kgo.RecordHeader{{Key: marker, Value: []byte(marker)}}, 5000)},
	}
	values := []string{
		"", "{", "null", "[]", `"` + marker + `"`, strings.Repeat("[", 1<<16), `{"events":[` + strings.Repeat("{},", 1<<18) + "{}]}",
		`{"schema":"klaxon.finding/v1","severity":"low","rule":"` + marker + `","title":"` + long + `","first_seen":"0001-01-01T00:00:00Z","last_seen":"9999-12-31T23:59:59Z","count":-1,"revision":9223372036854775807}`,
		`{"rule":"\u001b[2J` + marker + `","version":"x","key":{"a":"b"},"event":{"time":"9999-12-31T23:59:59Z"}}`,
		`{"cluster":"` + marker + `","hour":"9999-12-31T23:59:59Z","rule":"x","source":1,"segment":9223372036854775807,"until":1,"evaluations":9223372036854775807}`,
		`{"shards":[0,1,2],"partition":0,"partitions":1,"held":[]}`,
		`{"` + marker + `":"9999-12-31T23:59:59Z","x":"0001-01-01T00:00:00Z"}`,
		`{"kind":"Event","level":"Metadata","auditID":"` + marker + `","stage":"ResponseComplete","requestURI":"/","verb":"get","user":{"username":"x"},"stageTimestamp":"9999-12-31T23:59:59.000000Z","requestReceivedTimestamp":"0001-01-01T00:00:00.000000Z"}`,
	}
	changes := [][]string{
		{}, {"received", "9999-12-31T23:59:59Z"}, {"received", "0001-01-01T00:00:00Z"}, {"received", long}, {"sender", long}, {"cluster", long},
		{"source", "65535/65536"}, {"source", "1/3"}, {"v", "1.99"}, {"v", "0.0"}, {"v", long}, {"length", "-1"}, {"length", "9223372036854775807"},
		{"reason", long}, {"rule", `{"id":"` + long + `"}`}, {"id", long}, {"from", "9999-12-31T23:59:59Z"},
	}
	for _, kind := range []string{"event", "heartbeat", "match", "progress", "clock", "gap", "open", "", marker, long} {
		add := func(value string, change ...string) {
			records = append(records, kgo.Record{Key: []byte("0123456789abcdef")[:rand.IntN(2)*16], Headers: headers(append(change, "kind", kind)...), Value: []byte(value)})
		}
		for _, value := range values {
			add(value)
		}
		for _, change := range changes {
			add("", change...)
			add(values[len(values)-1], change...)
		}
	}
	for _, topic := range []string{"events", "matches", "findings", "blind", "deadletter"} {
		for n := range records {
			r := records[n]
			r.Topic, r.Partition = prefix+"."+topic, int32(n%3)
			written++
			client.Produce(t.Context(), &r, func(r *kgo.Record, err error) {
				if err != nil {
					t.Errorf("record %d of %s: %v", n, r.Topic, err)
				}
			})
		}
		if err := client.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return written
}
