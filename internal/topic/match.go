package topic

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/stream"
)

// The kinds of records in Matches.
const (
	KindMatch    Kind = "match"
	KindClock    Kind = "clock"    // how far the time of senders has come in the source
	KindProgress Kind = "progress" // the same of one sender, as a klaxon before wrote it
	KindGap      Kind = "gap"      // events from From to Received were lost before they were matched
)

// Match is a record of the topic Matches. A clock has only Source, Times and
// Received, a gap only Source, From and Received.
type Match struct {
	Kind     Kind
	Source   int       // the partition of Events that it comes from
	Sources  int       // how many partitions Events has
	Sender   string    // the ingest process that received the event
	Received time.Time // when; of a clock, the newest of its times

	Times map[string]time.Time // of a clock, by sender: what it received before is matched
	From  time.Time            // of a gap; zero where nobody knows
	Match detect.Match
	Rule  []byte // the definition of the match's rule, nil where it has none
}

// ShardsOf returns the virtual shards whose matches are in a partition of
// Matches, of so many.
func ShardsOf(partition, partitions int) []int {
	var shards []int
	for s := partition; s < detect.Shards; s += partitions {
		shards = append(shards, s)
	}
	return shards
}

// Record encodes m. The partition of a match is its shard modulo partitions;
// progress and gaps go to every partition, so the caller sets it.
func (m *Match) Record(partitions int) (stream.Record, error) {
	r := stream.Record{
		Headers: []stream.Header{
			{Key: headerVersion, Value: []byte(Version)},
			{Key: headerKind, Value: []byte(m.Kind)},
			{Key: headerSource, Value: fmt.Appendf(nil, "%d/%d", m.Source, m.Sources)},
			{Key: headerReceived, Value: m.Received.UTC().AppendFormat(nil, time.RFC3339Nano)},
		},
	}
	if m.Kind == KindMatch || m.Kind == KindProgress {
		r.Headers = append(r.Headers, stream.Header{Key: headerSender, Value: []byte(m.Sender)})
	}
	switch m.Kind {
	case KindClock:
		value, err := json.Marshal(m.Times)
		if err != nil {
			return r, fmt.Errorf("encode a clock: %w", err)
		}
		r.Value = value
	case KindGap:
		r.Headers = append(r.Headers, stream.Header{Key: headerFrom, Value: m.From.UTC().AppendFormat(nil, time.RFC3339Nano)})
	case KindMatch:
		value, err := json.Marshal(&m.Match)
		if err != nil {
			return r, fmt.Errorf("encode a match of %s: %w", m.Match.Rule, err)
		}
		if m.Rule != nil {
			r.Headers = append(r.Headers, stream.Header{Key: headerRule, Value: m.Rule})
		}
		fingerprint := m.Match.Fingerprint()
		r.Key, r.Value = fingerprint[:], value
		r.Partition = fingerprint.Shard() % partitions
	}
	return r, nil
}

// DecodeMatch decodes a record of Matches. Rule shares r's memory.
func DecodeMatch(r *stream.Record) (Match, error) {
	var m Match
	if err := checkVersion(r); err != nil {
		return m, err
	}
	received, err := time.Parse(time.RFC3339Nano, string(r.Header(headerReceived)))
	if err != nil {
		return m, fmt.Errorf("header %s: %w", headerReceived, err)
	}
	m.Kind = Kind(r.Header(headerKind))
	if m.Source, m.Sources, err = parseSource(string(r.Header(headerSource))); err != nil {
		return m, err
	}
	m.Sender = string(r.Header(headerSender))
	m.Received = received
	switch m.Kind {
	case KindProgress:
		m.Times = map[string]time.Time{m.Sender: m.Received}
	case KindClock:
		return m, m.decodeTimes(r)
	case KindGap:
		if m.From, err = time.Parse(time.RFC3339Nano, string(r.Header(headerFrom))); err != nil {
			return m, fmt.Errorf("header %s: %w", headerFrom, err)
		}
	case KindMatch:
		if err := json.Unmarshal(r.Value, &m.Match); err != nil {
			return m, fmt.Errorf("match: %w", err)
		}
		m.Rule = r.Header(headerRule)
	default:
		return m, fmt.Errorf("header %s: unknown kind %q", headerKind, m.Kind)
	}
	return m, nil
}

// maxClock bounds the value of a clock, bytes.
const maxClock = 1 << 20

// decodeTimes reads the times of a clock. None is after the newest.
func (m *Match) decodeTimes(r *stream.Record) error {
	if len(r.Value) > maxClock {
		return fmt.Errorf("clock: %d bytes, more than %d", len(r.Value), maxClock)
	}
	if err := json.Unmarshal(r.Value, &m.Times); err != nil {
		return errors.New("clock: no times by sender")
	}
	for _, t := range m.Times {
		if t.After(m.Received) {
			return errors.New("clock: a time after the newest")
		}
	}
	return nil
}

// parseSource reads "partition/partitions".
func parseSource(text string) (source, sources int, err error) {
	first, second, _ := strings.Cut(text, "/")
	source, err1 := strconv.Atoi(first)
	sources, err2 := strconv.Atoi(second)
	if err1 != nil || err2 != nil || source < 0 || source >= sources || sources > maxSources {
		return 0, 0, fmt.Errorf("header %s: %q is not a partition and a number of partitions", headerSource, text)
	}
	return source, sources, nil
}

// maxSources bounds what a record makes a reader allocate.
const maxSources = 1 << 16
