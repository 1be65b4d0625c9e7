package kafka

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/stream"
)

// schemaPage is what other programs go by.
const schemaPage = "../../docs/stream.md"

// row is a line of a table of schemaPage; heading is what stands over the table.
type row struct {
	heading string
	cells   []string
}

// rows returns the lines of all tables whose first column has a title.
func rows(t *testing.T, title string) []row {
	t.Helper()
	page, err := os.ReadFile(schemaPage)
	if err != nil {
		t.Fatal(err)
	}
	var all []row
	var heading, table string
	for line := range strings.Lines(string(page)) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "#"); ok {
			heading = strings.TrimLeft(name, "# ")
		}
		inner, ok := strings.CutPrefix(line, "| ")
		if !ok {
			if !strings.HasPrefix(line, "|") {
				table = ""
			}
			continue
		}
		cells := strings.Split(strings.TrimSuffix(inner, " |"), " | ")
		switch {
		case table == "":
			table = cells[0]
		case table == title:
			all = append(all, row{heading, cells})
		}
	}
	if len(all) == 0 {
		t.Fatalf("%s has no table of %s", schemaPage, title)
	}
	return all
}

var quoted = regexp.MustCompile("`([^`]+)`")

// words returns what a cell has between backquotes.
func words(cell string) []string {
	var all []string
	for _, m := range quoted.FindAllStringSubmatch(cell, -1) {
		all = append(all, m[1])
	}
	return all
}

// documentedHeaders returns the headers of each kind of record, by topic.kind.
func documentedHeaders(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for _, r := range rows(t, "header") {
		for kind := range strings.SplitSeq(r.cells[1], ", ") {
			of := strings.TrimPrefix(r.heading, "klaxon.") + "." + kind
			all[of] = append(all[of], words(r.cells[0])...)
		}
	}
	return all
}

// documentedMembers returns the members of JSON values, by the table's title.
func documentedMembers(t *testing.T, heading, title string) []string {
	t.Helper()
	var all []string
	for _, r := range rows(t, title) {
		if r.heading == heading {
			all = append(all, words(r.cells[0])...)
		}
	}
	slices.Sort(all)
	return all
}

// members returns the names that a type has in JSON.
func members[T any]() []string {
	var all []string
	for f := range reflect.TypeFor[T]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// sample is a record of one kind.
type sample struct {
	topic, kind string
	record      stream.Record
}

const sampleEvent = `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"a-1","stage":"ResponseComplete","verb":"get"}`

// samples returns a record of every kind, for topics of so many partitions.
func samples(t *testing.T, layout map[string]int) []sample {
	t.Helper()
	received := time.Date(2026, 11, 21, 9, 0, 0, 123456789, time.UTC)
	event := topic.Event{Kind: topic.KindEvent, ID: audit.EventID{7, 200, 3}, Cluster: "prod-1", Sender: "a/prod-1", Received: received, Item: []byte(sampleEvent)}
	heartbeat := topic.Event{Kind: topic.KindHeartbeat, Sender: "a/prod-1", Received: received}
	found := detect.Match{Rule: "secret-read", Version: "1", Cluster: "prod-1", Key: detect.Key{{Name: "cluster", Value: "prod-1"}}}
	match := topic.Match{Kind: topic.KindMatch, Source: 1, Sources: layout[topic.Events], Sender: "a/prod-1", Received: received, Match: found, Rule: []byte("{}")}
	clock := topic.Match{Kind: topic.KindClock, Source: 1, Sources: layout[topic.Events], Received: received, Times: map[string]time.Time{"a/prod-1": received}}
	gap := topic.Match{Kind: topic.KindGap, Source: 1, Sources: layout[topic.Events], Received: received}
	finding := detect.Finding{
		Schema: detect.FindingSchema, ID: detect.FindingID{1}, Fingerprint: found.Fingerprint(), Rule: "secret-read", Severity: "high",
		Key: found.Key, State: detect.StateOpen, Revision: 3, Count: 2, Events: []detect.EventRef{{AuditID: "a-1", Verb: "get"}},
	}
	letter := topic.DeadLetter{Reason: "syntax", Cluster: "prod-1", Sender: "a/prod-1", Received: received, Length: 3, Kept: 3, KeyID: "k", Name: topic.LetterID{203, 1}, Sealed: []byte{201, 2, 3}}

	all := []sample{
		{topic.Events, "event", event.Record(layout[topic.Events])},
		{topic.Events, "heartbeat", heartbeat.Record(layout[topic.Events])},
		{topic.DeadLetters, "letter", letter.Record(layout[topic.DeadLetters])},
	}
	add := func(name, kind string, r stream.Record, err error) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, sample{name, kind, r})
	}
	r, err := match.Record(layout[topic.Matches])
	add(topic.Matches, "match", r, err)
	r, err = clock.Record(layout[topic.Matches])
	add(topic.Matches, "clock", r, err)
	r, err = gap.Record(layout[topic.Matches])
	add(topic.Matches, "gap", r, err)
	r, err = topic.FindingRecord(&finding, layout[topic.Findings])
	add(topic.Findings, "finding", r, err)
	blind := topic.Blindness{Cluster: "prod-1", Hour: received.Truncate(time.Hour), Rule: "secret-read", Needs: audit.GapRequest, Source: 13, Evaluations: 2}
	r, err = blind.Record(layout[topic.Blind])
	add(topic.Blind, "blindness", r, err)
	open, err := topic.OpenRecords([]int{0}, []detect.Fingerprint{finding.Fingerprint}, nil, 1)
	add(topic.Findings, "open", open[0], err)
	return all
}

// TestSchemaPage holds the page to what is written: topics, headers, members.
func TestSchemaPage(t *testing.T) {
	var topics []string
	for _, r := range rows(t, "topic") {
		topics = append(topics, strings.TrimPrefix(words(r.cells[0])[0], "klaxon."))
	}
	slices.Sort(topics)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(topic.Layout(1))), topics); diff != "" {
		t.Errorf("topics (-code +page): %s", diff)
	}

	written := map[string][]string{}
	for _, s := range samples(t, topic.Layout(12)) {
		for _, h := range s.record.Headers {
			written[s.topic+"."+s.kind] = append(written[s.topic+"."+s.kind], h.Key)
		}
	}
	documented := documentedHeaders(t)
	for _, m := range []map[string][]string{written, documented} {
		for of := range m {
			slices.Sort(m[of])
		}
	}
	if diff := cmp.Diff(written, documented); diff != "" {
		t.Errorf("headers (-code +page): %s", diff)
	}

	f := func(heading, title string, want []string) {
		t.Helper()
		if diff := cmp.Diff(want, documentedMembers(t, heading, title)); diff != "" {
			t.Errorf("%s, %s (-code +page): %s", heading, title, diff)
		}
	}
	f("klaxon.matches", "member", members[detect.Match]())
	f("klaxon.findings", "member", members[detect.Finding]())
	f("klaxon.blind", "member", members[topic.Blindness]())
	f("klaxon.findings", "member of `events`", members[detect.EventRef]())
	f("klaxon.findings", "member of `open`", members[topic.Open]())
}

// TestAnotherReader writes a record of every kind and reads them with another
// client library, by what the page says and nothing else.
func TestAnotherReader(t *testing.T) {
	ctx, c := adminContext(t), oneBroker(t)
	layout := topic.Layout(16)
	if _, err := Init(ctx, c, layout, InitOptions{}); err != nil {
		t.Fatal(err)
	}
	log, err := Open(ctx, c, Options{Topics: slices.Sorted(maps.Keys(layout)), Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	want := samples(t, layout)
	for _, s := range want {
		err := log.Append(ctx, s.topic, []stream.Record{s.record})
		for errors.Is(err, stream.ErrUnavailable) && ctx.Err() == nil { // the partitions have no leaders yet
			err = log.Append(ctx, s.topic, []stream.Record{s.record})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	read := readAll(ctx, t, c, slices.Sorted(maps.Keys(layout)), len(want))
	var kinds, wanted []string
	for _, r := range read {
		kinds = append(kinds, decode(t, r, c.Prefix, layout))
	}
	for _, s := range want {
		wanted = append(wanted, s.topic+"."+s.kind)
	}
	slices.Sort(kinds)
	slices.Sort(wanted)
	if diff := cmp.Diff(wanted, kinds); diff != "" {
		t.Error(diff)
	}
}

// readAll reads n records of some topics.
func readAll(ctx context.Context, t *testing.T, c Config, topics []string, n int) []*kgo.Record {
	t.Helper()
	var names []string
	for _, short := range topics {
		names = append(names, c.Topic(short))
	}
	reader, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers...), kgo.ConsumeTopics(names...), kgo.ConsumerGroup("reading-along-"+c.Prefix))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	var read []*kgo.Record
	for len(read) < n {
		fetched := reader.PollFetches(ctx)
		if err := fetched.Err(); err != nil {
			t.Fatalf("%d of %d records: %v", len(read), n, err)
		}
		read = append(read, fetched.Records()...)
	}
	return read
}

// decode holds a record to the page and returns its topic and kind.
func decode(t *testing.T, r *kgo.Record, prefix string, layout map[string]int) string {
	t.Helper()
	short := strings.TrimPrefix(r.Topic, prefix+".")
	headers := map[string]string{}
	for _, h := range r.Headers {
		headers[h.Key] = string(h.Value)
	}
	if major, _, ok := strings.Cut(headers["v"], "."); !ok || major != "1" {
		t.Errorf("%s: version %q", r.Topic, headers["v"])
	}
	if received, ok := headers["received"]; ok {
		if at, err := time.Parse(time.RFC3339Nano, received); err != nil || at.Nanosecond() != 123456789 {
			t.Errorf("%s: received %q: %v", r.Topic, received, err)
		}
	}
	if r.Attrs.TimestampType() != 1 || time.Since(r.Timestamp) > time.Hour {
		t.Errorf("%s: the time %v is of type %d, want the broker's", r.Topic, r.Timestamp, r.Attrs.TimestampType())
	}
	if r.Attrs.CompressionType() != 4 {
		t.Errorf("%s: compression %d, want zstd", r.Topic, r.Attrs.CompressionType())
	}
	kind := headers["kind"]
	n, k := layout[short], 0
	if len(r.Key) > 0 {
		k = int(binary.BigEndian.Uint16(r.Key))
	}
	partition := 0
	switch short + "." + kind {
	case "events.event":
		partition = k % n
		if string(r.Value) != sampleEvent || headers["cluster"] != "prod-1" {
			t.Errorf("an event of %q: %s", headers["cluster"], r.Value)
		}
	case "events.heartbeat", "matches.gap":
		if len(r.Key)+len(r.Value) > 0 {
			t.Errorf("a %s holds %q, %q", kind, r.Key, r.Value)
		}
	case "matches.clock":
		var times map[string]time.Time
		if err := json.Unmarshal(r.Value, &times); err != nil || times["a/prod-1"].Format(time.RFC3339Nano) != headers["received"] || len(r.Key) > 0 {
			t.Errorf("a clock holds %q, %q: %v", r.Key, r.Value, err)
		}
	case "matches.match":
		partition = k % 64 % n
		if headers["source"] != fmt.Sprintf("1/%d", layout["events"]) {
			t.Errorf("a match of %s", headers["source"])
		}
	case "findings.":
		kind, partition = "finding", k%n
		checkFinding(t, r)
	case "findings.open":
	case "blind.":
		kind, partition = "blindness", 13%n
	case "deadletter.":
		kind, partition = "letter", int(headers["id"][0])%n
	default:
		t.Errorf("%s: kind %q is not on the page", r.Topic, kind)
	}
	if int(r.Partition) != partition {
		t.Errorf("%s: a %s is in partition %d, want %d", r.Topic, kind, r.Partition, partition)
	}
	return short + "." + kind
}

func checkFinding(t *testing.T, r *kgo.Record) {
	t.Helper()
	var f struct {
		Schema, ID, Fingerprint, Rule, State string
		Key                                  map[string]string
		Count, Revision                      int64
		Events                               []struct {
			AuditID string `json:"audit_id"`
		}
	}
	if err := json.Unmarshal(r.Value, &f); err != nil {
		t.Fatal(err)
	}
	if f.Schema != "klaxon.finding/v1" || f.State != "open" || f.Revision != 3 || f.Count != 2 || f.Rule != "secret-read" ||
		f.Fingerprint != hex.EncodeToString(r.Key) || len(f.ID) != 32 || f.Key["cluster"] != "prod-1" || f.Events[0].AuditID != "a-1" {
		t.Errorf("the finding reads %+v", f)
	}
}
