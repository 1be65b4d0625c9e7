package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/internal/secretfile"
)

const (
	// leastHits is how many kills and pauses of each class must hit work in flight.
	leastHits = 5
	// leastFindings is how many closed findings each of the load's rules must have.
	leastFindings = 200
	// leastOpen is how many findings must have members before and after a kill.
	leastOpen = 50
	// ahead is how far the receivers' clocks go ahead in the end: the longest
	// bucket of a builtin rule is 6 h, as is the longest window.
	ahead = 14 * time.Hour
	// senders is how many batches are on their way at once, at most.
	senders = 30
	// startPatience is how long all processes may take to be ready.
	startPatience = 2 * time.Minute
)

// plan is what the environment asks for.
type plan struct {
	lasts      time.Duration
	strikes    int
	seed       uint64
	partitions int
	rate       int // events a second
}

func readPlan(t *testing.T) plan {
	t.Helper()
	number := func(name string, or uint64) uint64 {
		text := os.Getenv(name)
		if text == "" {
			return or
		}
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("%s is %q: want a number", name, text)
		}
		return n
	}
	return plan{
		lasts:      time.Duration(number("CHAOS_MINUTES", 1)) * time.Minute,
		strikes:    int(number("CHAOS_STRIKES", 60)),
		seed:       number("CHAOS_SEED", rand.Uint64()),
		partitions: int(number("CHAOS_PARTITIONS", 12)),
		rate:       int(number("CHAOS_RATE", 2000)),
	}
}

// Processes, brokers and the engine are killed, stopped and cut off under load.
// Batches are sent until they are acknowledged. Then the store has one row of
// every event, and the closed findings are those, byte for byte, of one process
// that got the same and was left alone.
func TestChaos(t *testing.T) {
	p := readPlan(t)
	t.Logf("%v, %d strikes, seed %d, %d partitions, %d events/s", p.lasts, p.strikes, p.seed, p.partitions, p.rate)
	ctx, cancel := context.WithTimeout(t.Context(), 3*p.lasts+15*time.Minute)
	defer cancel()
	dir := workDir(t)
	shared := newSecrets(t, dir)
	journal, err := NewJournal(filepath.Join(dir, "journal"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = journal.Close() }()

	s := newStruck(ctx, t, filepath.Join(dir, "struck"), shared, p)
	s.endure(ctx, t, p, journal)
	if err := s.drain(ctx); err != nil {
		t.Fatal(err)
	}
	tally := s.tally(ctx, t, journal)
	got := s.settle(ctx, t)
	s.stop()

	want := alone(ctx, t, filepath.Join(dir, "alone"), shared, journal)
	equal := same(t, want, got)
	s.report(t, want)
	report(t, fmt.Sprintf("acknowledged %d stored %d lost %d doubled %d findings equal %d of %d",
		tally.Sent, tally.Stored, tally.Lost, tally.Doubled, equal, len(want)))
}

// workDir returns a directory that goes away if the test passes.
func workDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "klaxon-chaos-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("what the processes said is in %s", dir)
			return
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// struck is the installation that is struck, with what strikes it.
type struck struct {
	striker
	dsn  string
	stop func() // ends all processes
}

// newStruck starts brokers, an engine, three receivers, two processes each that
// match, window and store, and one that answers.
func newStruck(ctx context.Context, t *testing.T, dir string, shared secrets, p plan) *struck {
	t.Helper()
	b := startBrokers(t)
	engine := address(t)
	password := filepath.Join(filepath.Dir(dir), "engine.password")
	secret, err := secretfile.Ensure(password)
	if err != nil {
		t.Fatal(err)
	}
	s := &struck{dsn: fmt.Sprintf("http://default:%s@%s/default", secret, engine)}
	s.rng, s.brokers = rand.New(rand.NewPCG(p.seed, 1)), b
	s.installation = newInstallation(t, dir, shared, fmt.Sprintf(
		"stream: {kind: kafka, kafka: {brokers: [\"%s\"], partitions: %d, session_timeout: 6s}}\nstore: {kind: clickhouse, dsn: %q, batch: {wait: 300ms}}\n",
		strings.Join(b.addresses(), `", "`), p.partitions, s.dsn))
	s.nodes = append(s.nodes, &node{name: "engine", class: engines, log: filepath.Join(dir, "engine.log"),
		args: []string{"engine", "run", "--path", filepath.Join(dir, "engine"), "--listen", engine, "--password-file", password}})
	for _, of := range []struct {
		class class
		many  int
	}{{ingesting, 3}, {matchers, 2}, {windowers, 2}, {storers, 2}, {answering, 1}} {
		for i := range of.many {
			s.add(fmt.Sprint(of.class, "-", i+1), of.class, string(of.class))
		}
	}
	s.initTopics(ctx, t)
	running, cancel := context.WithCancel(ctx)
	s.stop = func() { cancel(); s.running.Wait() }
	t.Cleanup(s.stop)
	starting, done := context.WithTimeout(ctx, startPatience)
	defer done()
	s.start(running, s.of(engines)...)
	for _, c := range []class{ingesting, matchers, windowers, storers, answering} {
		s.start(running, s.of(c)...)
	}
	if err := s.ready(starting, s.nodes...); err != nil {
		t.Fatal(err)
	}
	return s
}

// endure sends load and strikes until the plan is done: its time has passed, so
// many strikes were made and enough of each class hit work in flight, or three
// times its time has passed.
func (s *struck) endure(ctx context.Context, t *testing.T, p plan, journal *Journal) {
	t.Helper()
	load := newLoad(t, s.shared, p.seed)
	loading, endLoad := context.WithCancel(ctx)
	var sending sync.WaitGroup
	var failed atomic.Pointer[error]
	pace := &pace{rate: p.rate}
	for range senders {
		sending.Go(func() {
			if err := s.send(ctx, loading, load, pace, journal); err != nil {
				failed.Store(&err)
			}
		})
	}
	striking, endStrikes := context.WithTimeout(ctx, 3*p.lasts)
	var tormenting sync.WaitGroup
	every := p.lasts * time.Duration(len(classes)) / time.Duration(p.strikes)
	for _, c := range classes {
		if c != broking {
			tormenting.Go(func() {
				if err := s.torment(striking, c, every); err != nil {
					failed.Store(&err)
				}
			})
		}
	}
	tormenting.Go(func() { s.ask(striking) })
	tormenting.Go(func() {
		defer endStrikes()
		began := time.Now()
		for pause(striking, time.Second) && failed.Load() == nil && (time.Since(began) < p.lasts || !s.enough(p.strikes)) {
		}
	})
	s.tormentBrokers(striking, t, every)
	tormenting.Wait()
	endLoad()
	sending.Wait()
	if err := failed.Load(); err != nil {
		t.Fatal(*err)
	}
	events, again := s.doors.Taken()
	t.Logf("%d events were acknowledged; batches were sent again %d times", events, again)
}

// enough reports whether the strikes so far are what the test is for.
func (s *striker) enough(strikes int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range classes {
		if s.hits(c) < leastHits {
			return false
		}
	}
	return len(s.strikes) >= strikes
}

// hits counts the kills and pauses of a class that hit work in flight. mu is held.
func (s *striker) hits(c class) (n int) {
	for _, blow := range s.strikes {
		if blow.class == c && (blow.deed == kills || blow.deed == pauses) && blow.hit() {
			n++
		}
	}
	return n
}

// pace says when the next batch is due. It is safe for concurrent use.
type pace struct {
	rate int // events a second
	mu   sync.Mutex
	due  time.Time
}

// wait waits for the turn of a batch. Time in which nothing could be sent is
// made up for, up to a few seconds.
func (p *pace) wait(ctx context.Context) bool {
	p.mu.Lock()
	due := p.due
	p.mu.Unlock()
	return pause(ctx, time.Until(due)) && ctx.Err() == nil
}

func (p *pace) made(events int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if oldest := time.Now().Add(-5 * time.Second); p.due.Before(oldest) {
		p.due = oldest
	}
	p.due = p.due.Add(time.Duration(events) * time.Second / time.Duration(p.rate))
}

// send makes batches until loading ends, and delivers each.
func (s *struck) send(ctx, loading context.Context, load *Load, pace *pace, journal *Journal) error {
	for pace.wait(loading) {
		b, err := load.Next()
		if err != nil {
			return err
		}
		pace.made(len(b.IDs))
		if err := journal.Add(&b); err != nil {
			return err
		}
		if err := s.doors.Deliver(ctx, &b); err != nil {
			return err
		}
	}
	return nil
}

// drain waits until every stage has done what the log holds.
func (s *struck) drain(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	if err := s.ready(ctx, s.nodes...); err != nil {
		return err
	}
	return s.brokers.reached(ctx, storeEvents, storeDead, matching, windowing, storeFound)
}

// tally counts the rows of the store.
func (s *struck) tally(ctx context.Context, t *testing.T, journal *Journal) Tally {
	t.Helper()
	var ids []audit.EventID
	err := again(ctx, func() error {
		ids = ids[:0]
		return rows(ctx, s.dsn, func(id audit.EventID) { ids = append(ids, id) })
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		journal.Found(id)
	}
	tally := journal.Tally()
	if tally.Lost+tally.Doubled+tally.Unknown > 0 {
		t.Errorf("of %d events %d are lost (such as %v) and %d doubled; %d rows are of no event that was sent",
			tally.Sent, tally.Lost, journal.Lost(mostShown), tally.Doubled, tally.Unknown)
	}
	return tally
}

// settle moves the clock on so that everything closes, and returns what was found.
func (i *installation) settle(ctx context.Context, t *testing.T) map[string]finding {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	if err := MoveClock(i.clock(), ahead); err != nil {
		t.Fatal(err)
	}
	found, err := i.closed(ctx)
	if err != nil {
		t.Error(err)
	}
	return found
}

// alone plays the journal to one process and returns what it finds.
func alone(ctx context.Context, t *testing.T, dir string, shared secrets, journal *Journal) map[string]finding {
	t.Helper()
	i := newInstallation(t, dir, shared, "")
	n := i.add("alone", "", "ingest,match,window,store,api")
	running, cancel := context.WithCancel(ctx)
	defer func() { cancel(); i.running.Wait() }()
	offset := time.Duration(0)
	started := false
	err := journal.Batches(func(b *Batch) error {
		// Received when it was made, or soon after, as it was first.
		if behind := time.Until(b.Made) - offset; !started || behind > time.Second {
			offset += behind
			if err := MoveClock(i.clock(), offset); err != nil {
				return err
			}
		}
		if !started {
			started = true
			i.start(running, n)
			if err := again(ctx, func() error { return n.ready(ctx) }); err != nil {
				return err
			}
		}
		return i.doors.Deliver(ctx, b)
	})
	if err != nil {
		t.Fatal(err)
	}
	found := i.settle(ctx, t)
	if n.ended() > 0 {
		t.Errorf("the process that was left alone has ended by itself: see %s", n.log)
	}
	return found
}
