package chaos

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/klaxon-dev/klaxon/audit"
)

// Clusters are those that send.
var Clusters = []string{"chaos-a", "chaos-b", "chaos-c"}

const (
	// batchEvents is what an API server puts into a request at most.
	batchEvents = 400
	// storiesPerSecond is how many stories of each kind begin.
	storiesPerSecond = 6
	// recordedEvery is how often recorded events come, for the builtin rules.
	recordedEvery = 2 * time.Second
)

// Batch is one body of a webhook's POST: it is sent again, byte for byte, until
// it is acknowledged.
type Batch struct {
	Cluster string
	Made    time.Time
	Body    []byte
	IDs     []audit.EventID
}

// Load makes batches: stories that the rules of rules.yaml are about, each told
// over some seconds and many batches, recorded events, and events that no rule
// matches. It is safe for concurrent use.
type Load struct {
	reducer  *audit.Reducer
	recorded []Recording

	mu       sync.Mutex
	rng      *rand.Rand
	made     int                // events
	began    time.Time          // when the first batch was made
	stories  int                // of each kind that have begun
	replayed time.Time          // when recorded events came last
	due      map[string][]scene // by cluster, in order of time
}

// scene is one request of a story.
type scene struct {
	at                             time.Time
	user, verb, resource, instance string
}

// Recording is what an API server sent in one request.
type Recording struct {
	Last  time.Time // when the last of the items happened
	Items [][]byte
	// Move returns an item as it would be if it had happened later.
	Move func(item []byte, by time.Duration) ([]byte, error)
}

// NewLoad returns the load of a seed. The reducer is the receivers'.
func NewLoad(reducer *audit.Reducer, recorded []Recording, seed uint64) *Load {
	return &Load{reducer: reducer, recorded: recorded, rng: rand.New(rand.NewPCG(seed, 0)), due: map[string][]scene{}}
}

// Next makes a batch of one of the clusters.
func (l *Load) Next() (Batch, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now().UTC().Truncate(time.Microsecond)
	if l.began.IsZero() {
		l.began, l.replayed = now, now
	}
	for ; l.stories < int(now.Sub(l.began).Seconds()*storiesPerSecond); l.stories++ {
		l.begin(now)
	}
	cluster := Clusters[l.rng.IntN(len(Clusters))]
	items, err := l.replay(now)
	if err != nil {
		return Batch{}, err
	}
	if items == nil {
		items = l.scenes(cluster, now)
		for range max(0, l.size()-len(items)) {
			items = append(items, l.noise(now.Add(time.Duration(len(items))*time.Microsecond)))
		}
	}
	b := Batch{Cluster: cluster, Made: now, Body: body(items)}
	for _, item := range items {
		id, err := l.id(cluster, item)
		if err != nil {
			return b, err
		}
		b.IDs = append(b.IDs, id)
	}
	return b, nil
}

// body returns items as a webhook's POST carries them.
func body(items [][]byte) []byte {
	text := []byte(`{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[`)
	return append(append(text, bytes.Join(items, []byte(","))...), "]}\n"...)
}

// size draws how many events a batch has: most have some, a few are full.
func (l *Load) size() int {
	switch draw := l.rng.IntN(10); {
	case draw == 0:
		return batchEvents
	case draw < 4:
		return 1 + l.rng.IntN(20)
	default:
		return 50 + l.rng.IntN(150)
	}
}

// replay returns recorded events as if they had just happened, nothing where it
// is not their turn.
func (l *Load) replay(now time.Time) ([][]byte, error) {
	if len(l.recorded) == 0 || now.Sub(l.replayed) < recordedEvery {
		return nil, nil
	}
	l.replayed = now
	r := l.recorded[l.rng.IntN(len(l.recorded))]
	items := make([][]byte, len(r.Items))
	for i, item := range r.Items {
		var err error
		if items[i], err = r.Move(item, now.Sub(r.Last)); err != nil {
			return nil, err
		}
	}
	return items, nil
}

// id returns what the store will call an event.
func (l *Load) id(cluster string, item []byte) (audit.EventID, error) {
	var e audit.Event
	if err := audit.Scan(item, &e); err != nil {
		return audit.EventID{}, err
	}
	if _, _, err := l.reducer.Reduce(item, &e); err != nil {
		return audit.EventID{}, err
	}
	return e.ID(audit.ClusterID(cluster)), nil
}

// begin plans one story of each kind, each in a cluster of its own choice.
func (l *Load) begin(now time.Time) {
	for _, tell := range stories {
		cluster := Clusters[l.rng.IntN(len(Clusters))]
		scenes := tell(fmt.Sprintf("%06d", l.stories), l.rng.IntN(5) == 0)
		at := now
		for i := range scenes {
			at = at.Add(time.Duration(l.rng.Int64N(int64(4 * time.Second)))).Truncate(time.Microsecond)
			scenes[i].at = at
		}
		l.due[cluster] = append(l.due[cluster], scenes...)
	}
}

// scenes returns the requests of a cluster's stories that are due.
func (l *Load) scenes(cluster string, now time.Time) [][]byte {
	due := l.due[cluster]
	slices.SortStableFunc(due, func(a, b scene) int { return a.at.Compare(b.at) })
	n, _ := slices.BinarySearchFunc(due, now, func(s scene, now time.Time) int { return cmp.Or(s.at.Compare(now), -1) })
	n = min(n, batchEvents)
	l.due[cluster] = due[n:]
	items := make([][]byte, n)
	for i, s := range due[:n] {
		items[i] = l.event(s.at, s.user, s.verb, s.resource, s.instance)
	}
	return items
}

// noise is a request that no rule matches.
func (l *Load) noise(at time.Time) []byte {
	return l.event(at, fmt.Sprintf("noise-%d", l.rng.IntN(50)), []string{"get", "list", "watch"}[l.rng.IntN(3)],
		[]string{"configmaps", "endpoints"}[l.rng.IntN(2)], fmt.Sprintf("object-%d", l.rng.IntN(200)))
}

func (l *Load) event(at time.Time, user, verb, resource, name string) []byte {
	l.made++
	return fmt.Appendf(nil, `{"level":"Metadata","auditID":"chaos-%d","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/chaos/%s/%s",`+
		`"verb":%q,"user":{"username":%q,"groups":["system:authenticated"]},"sourceIPs":["192.0.2.%d"],"userAgent":"kubectl/v1.36.3",`+
		`"objectRef":{"resource":%[2]q,"namespace":"chaos","name":%[3]q,"apiVersion":"v1"},"responseStatus":{"metadata":{},"code":200},`+
		`"requestReceivedTimestamp":%[7]q,"stageTimestamp":%[7]q,"annotations":{"authorization.k8s.io/decision":"allow"}}`,
		l.made, resource, name, verb, user, l.rng.IntN(200), at.Format("2006-01-02T15:04:05.000000Z"))
}
