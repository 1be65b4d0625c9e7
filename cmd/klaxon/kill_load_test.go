package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/ingest"
)

const (
	// eventAge is how long ago the oldest event of a batch happened when the
	// batch is made. Time is taken as ten minutes behind what is received, so a
	// batch has fifty seconds to be taken in order, and what it sets off closes
	// soon after.
	eventAge = 9*time.Minute + 10*time.Second
	// ahead is how far the clock of a second API server is ahead. Its events are
	// new enough for copies of them to be known by the ids that serve remembers
	// alone; those of eventAge, from before the load began, are looked up in the
	// store. No rule matches them: when they are taken to have happened depends
	// on when they come.
	ahead = 4*time.Minute + 55*time.Second
	// postSpan bounds the time between the first and the last event of the
	// recorded posts that are used, postBytes their size.
	postSpan  = 10 * time.Second
	postBytes = 600 << 10
	// batchEvents is what an API server puts into a batch at most.
	batchEvents = 400
)

// batch is one body of a webhook's POST. An API server sends it again, byte for
// byte, until it is acknowledged.
type batch struct {
	body   []byte
	events int
}

// load makes batches, large and small, of recorded events whose times it moves
// and of events that it makes up, and keeps the audit log of the same minutes.
// It is safe for concurrent use.
type load struct {
	posts   []recordedPost
	reducer *audit.Reducer
	path    string // of the audit log

	mu   sync.Mutex
	rng  *rand.Rand
	log  *bufio.Writer
	file *os.File
	made int                   // events that were made up
	ids  map[audit.EventID]int // rows of each event that were found: 0 until they are looked for
}

type recordedPost struct {
	items []json.RawMessage
	first time.Time
}

func newLoad(t *testing.T, path string, key []byte, seed uint64) *load {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	l := &load{
		reducer: newReducer(t, key),
		path:    path,
		rng:     rand.New(rand.NewPCG(seed, 0)),
		log:     bufio.NewWriterSize(file, 1<<20),
		file:    file,
		ids:     map[audit.EventID]int{},
	}
	for _, body := range posts(t) {
		p := recordedPost{items: itemsOf(t, body)}
		var last time.Time
		for _, item := range p.items {
			at, err := ingest.EventTime(item)
			if err != nil {
				t.Fatal(err)
			}
			if p.first.IsZero() || at.Before(p.first) {
				p.first = at
			}
			if at.After(last) {
				last = at
			}
		}
		if len(body) <= postBytes && last.Sub(p.first) <= postSpan {
			l.posts = append(l.posts, p)
		}
	}
	return l
}

// next makes a batch.
func (l *load) next() (batch, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	oldest := time.Now().Add(-eventAge)
	var items [][]byte
	var err error
	switch draw := l.rng.IntN(15); {
	case draw == 0:
		items, err = l.recorded(oldest)
	case draw < 8:
		items = l.madeUp(oldest, l.busy)
	default:
		items = l.madeUp(time.Now().Add(ahead), l.quiet)
	}
	if err != nil {
		return batch{}, err
	}
	for _, item := range items {
		if err := l.note(item); err != nil {
			return batch{}, err
		}
	}
	body := append([]byte(`{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[`), bytes.Join(items, []byte(","))...)
	return batch{body: append(body, "]}\n"...), events: len(items)}, nil
}

// recorded returns the items of a recorded post as if they had happened lately.
func (l *load) recorded(oldest time.Time) ([][]byte, error) {
	p := l.posts[l.rng.IntN(len(l.posts))]
	delta := oldest.Sub(p.first).Round(time.Microsecond)
	items := make([][]byte, len(p.items))
	for i, item := range p.items {
		var err error
		if items[i], err = ingest.WebhookItem(item, delta); err != nil {
			return nil, err
		}
	}
	return items, nil
}

// madeUp returns one event to a full batch of them, a microsecond apart.
func (l *load) madeUp(oldest time.Time, request func() (verb, resource string, code int)) [][]byte {
	most := 20
	switch draw := l.rng.IntN(20); {
	case draw == 0:
		most = batchEvents
	case draw < 4:
		most = 100
	}
	items := make([][]byte, 1+l.rng.IntN(most))
	for i := range items {
		l.made++
		verb, resource, code := request()
		items[i] = l.event(l.made, oldest.Add(time.Duration(i)*time.Microsecond), verb, resource, code)
	}
	return items
}

var loadVerbs = []string{"get", "get", "get", "list", "watch", "create", "update", "patch", "delete"}

// busy is a request that the load's rules may match.
func (l *load) busy() (verb, resource string, code int) {
	code = http.StatusOK
	if l.rng.IntN(100) == 0 {
		code = http.StatusForbidden
	}
	return loadVerbs[l.rng.IntN(len(loadVerbs))], []string{"secrets", "configmaps", "pods"}[l.rng.IntN(3)], code
}

// quiet is a request that no rule matches.
func (l *load) quiet() (verb, resource string, code int) {
	return []string{"get", "list", "watch"}[l.rng.IntN(3)], []string{"configmaps", "pods"}[l.rng.IntN(2)], http.StatusOK
}

func (l *load) event(n int, at time.Time, verb, resource string, code int) []byte {
	namespace, name := fmt.Sprintf("team-%d", l.rng.IntN(4)), fmt.Sprintf("object-%d", l.rng.IntN(50))
	when := at.UTC().Format("2006-01-02T15:04:05.000000Z")
	return fmt.Appendf(nil, `{"level":"Metadata","auditID":"load-%d","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/%s/%s/%s",`+
		`"verb":%q,"user":{"username":"load-%d","groups":["system:authenticated"]},"sourceIPs":["192.0.2.%d"],"userAgent":"kubectl/v1.36.3",`+
		`"objectRef":{"resource":%q,"namespace":%q,"name":%q,"apiVersion":"v1"},"responseStatus":{"metadata":{},"code":%d},`+
		`"requestReceivedTimestamp":%q,"stageTimestamp":%[13]q,"annotations":{"authorization.k8s.io/decision":"allow"}}`,
		n, namespace, resource, name, verb, l.rng.IntN(10), l.rng.IntN(200), resource, namespace, name, code, when, when)
}

// note remembers an event and writes it to the audit log, as an API server does.
func (l *load) note(item []byte) error {
	id, err := idOf(l.reducer, item)
	if err != nil {
		return err
	}
	l.ids[id] = 0
	_, err = fmt.Fprintf(l.log, "{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",%s\n", item[1:])
	return err
}

// close ends the audit log. No batch may be made afterwards.
func (l *load) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.log.Flush(); err != nil {
		return err
	}
	return l.file.Close()
}
