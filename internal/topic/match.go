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
	var err error
	if m.Received, err = receivedOf(r); err != nil {
		return m, err
	}
	if m.Source, m.Sources, err = parseSource(string(r.Header(headerSource))); err != nil {
		return m, err
	}
	if m.Sender, err = senderOf(r); err != nil {
		return m, err
	}
	switch m.Kind = KindOf(r); m.Kind {
	case KindProgress:
		m.Times = map[string]time.Time{m.Sender: m.Received}
	case KindClock:
		return m, m.decodeTimes(r)
	case KindGap:
		if m.From, err = timeOf(r, headerFrom); err != nil {
			return m, err
		}
	case KindMatch:
		if err := decode(r, maxMatch, &m.Match); err != nil {
			return m, fmt.Errorf("match: %w", err)
		}
		m.Rule = r.Header(headerRule)
		return m, m.check()
	default:
		return m, errKind
	}
	return m, nil
}

// maxClock bounds the value of a clock, bytes.
const maxClock = 1 << 20

// decodeTimes reads the times of a clock. None is after the newest.
func (m *Match) decodeTimes(r *stream.Record) error {
	if err := decode(r, maxClock, &m.Times); err != nil {
		return fmt.Errorf("clock: %w", err)
	}
	for sender, t := range m.Times {
		switch {
		case len(sender) > maxSender:
			return fmt.Errorf("clock: a sender of %d bytes, more than %d", len(sender), maxSender)
		case t.Before(time.Unix(0, 0)):
			return errors.New("clock: a time before 1970")
		case t.After(m.Received):
			m.Times[sender] = m.Received
		}
	}
	return nil
}

// maxMatch bounds the value of a match, bytes: what it says of an event is cut.
const maxMatch = 256 << 10

var errSeverity = errors.New("there is no such severity")

// check refuses a match that no matching stage makes.
func (m *Match) check() error {
	switch {
	case m.Match.Severity != "" && m.Match.Severity.Rank() < 0:
		return errSeverity
	case m.Match.Event.Time.After(m.Received.Add(detect.MaxClockSkew)):
		return errors.New("match: its event is of after its receipt")
	}
	return nil
}

// parseSource reads "partition/partitions".
func parseSource(text string) (source, sources int, err error) {
	first, second, _ := strings.Cut(text, "/")
	source, err1 := strconv.Atoi(first)
	sources, err2 := strconv.Atoi(second)
	if err1 != nil || err2 != nil || source < 0 || source >= sources || sources > maxSources {
		return 0, 0, fmt.Errorf("header %s: no partition and number of partitions", headerSource)
	}
	return source, sources, nil
}

// maxSources bounds what a record makes a reader allocate.
const maxSources = 1 << 16
