package store

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/stream"
)

// fakeLog is one partition of a log in memory. It survives the processes that
// consume it. Its methods are safe for concurrent use.
type fakeLog struct {
	mu       sync.Mutex
	first    int64 // offset of records[0]: what came before was removed
	records  []stream.Record
	position stream.Position
	changed  chan struct{} // closed and replaced when something changes
	reads    int           // records that were read
}

func newFakeLog() *fakeLog { return &fakeLog{changed: make(chan struct{})} }

func (l *fakeLog) signal() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// append adds a record that the log took at the time.
func (l *fakeLog) append(at time.Time, r stream.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.Offset, r.Time = l.first+int64(len(l.records)), at
	l.records = append(l.records, r)
	l.signal()
}

// remove takes the records before the offset away, as retention does.
func (l *fakeLog) remove(before int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records = l.records[before-l.first:]
	l.first = before
}

func (l *fakeLog) end() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.first + int64(len(l.records))
}

func (l *fakeLog) committed() stream.Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.position
}

// wait returns when everything is committed.
func (l *fakeLog) wait(ctx context.Context) error {
	for {
		l.mu.Lock()
		done, changed := l.position.Offset == l.first+int64(len(l.records)), l.changed
		l.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// fakeClaim is the ownership of a fakeLog by one process.
type fakeClaim struct {
	*fakeLog
	onCommit func(p stream.Position, commit func()) error // nil: commits
}

func (c *fakeClaim) Partition() int            { return 0 }
func (c *fakeClaim) Position() stream.Position { return c.committed() }
func (c *fakeClaim) End() int64                { return c.end() }

func (c *fakeClaim) Read(ctx context.Context, from int64, maxBytes int) ([]stream.Record, error) {
	for {
		c.mu.Lock()
		if from < c.first {
			gap := &stream.GapError{Topic: topic.Events, From: from, To: c.first}
			c.mu.Unlock()
			return nil, gap
		}
		records, changed := c.from(from, maxBytes), c.changed
		c.reads += len(records)
		c.mu.Unlock()
		if len(records) > 0 {
			return records, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (c *fakeClaim) from(from int64, maxBytes int) []stream.Record {
	var records []stream.Record
	for i := from - c.first; i < int64(len(c.records)) && maxBytes > 0; i++ {
		records = append(records, c.records[i])
		maxBytes -= len(c.records[i].Value)
	}
	return records
}

func (c *fakeClaim) Commit(ctx context.Context, p stream.Position) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	commit := func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.position = p
		c.signal()
	}
	if c.onCommit != nil {
		return c.onCommit(p, commit)
	}
	commit()
	return nil
}

// sample is what a test says of an event.
type sample struct {
	sender    string // default test
	cluster   string // default prod-1
	auditID   string
	time      time.Time
	stage     string // default ResponseComplete
	verb      string // default get
	user      string // default alice
	resource  string // default pods
	namespace string
	name      string
	more      string // members in JSON, each with a comma before
}

func (e sample) item() []byte {
	or := func(s, otherwise string) string {
		if s == "" {
			return otherwise
		}
		return s
	}
	resource, subresource, _ := strings.Cut(or(e.resource, "pods"), "/")
	at := e.time.UTC().Format("2006-01-02T15:04:05.000000Z")
	return fmt.Appendf(nil, `{"level":"Metadata","auditID":%s,"stage":%s,"requestURI":"/api","verb":%s,`+
		`"user":{"username":%s},"objectRef":{"resource":%s,"subresource":%s,"namespace":%s,"name":%s},`+
		`"requestReceivedTimestamp":%q,"stageTimestamp":%q%s}`,
		quote(e.auditID), quote(or(e.stage, audit.StageResponseComplete)), quote(or(e.verb, "get")),
		quote(or(e.user, "alice")), quote(resource), quote(subresource), quote(e.namespace), quote(e.name), at, at, e.more)
}

// record returns the event's record as ingest makes it, received at the time.
func (e sample) record(t testing.TB, received time.Time) stream.Record {
	cluster := e.cluster
	if cluster == "" {
		cluster = "prod-1"
	}
	return sentRecord(t, cmp.Or(e.sender, "test"), audit.ClusterID(cluster), e.item(), received)
}

func eventRecord(t testing.TB, cluster audit.ClusterID, item []byte, received time.Time) stream.Record {
	t.Helper()
	return sentRecord(t, "test", cluster, item, received)
}

func sentRecord(t testing.TB, sender string, cluster audit.ClusterID, item []byte, received time.Time) stream.Record {
	t.Helper()
	var event audit.Event
	if err := audit.Scan(item, &event); err != nil {
		t.Fatalf("scan %s: %v", item, err)
	}
	e := topic.Event{Kind: topic.KindEvent, ID: event.ID(cluster), Cluster: cluster, Sender: sender, Received: received, Item: item}
	return e.Record(1)
}

func (e sample) id(t testing.TB) audit.EventID {
	r := e.record(t, noon)
	return audit.EventID(r.Key)
}
