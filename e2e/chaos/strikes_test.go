package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// deed is what a strike does.
type deed string

const (
	kills  deed = "kill"
	pauses deed = "pause"
	cuts   deed = "cut"   // a broker from klaxon
	delays deed = "delay" // of what klaxon and a broker say
	stalls deed = "stall" // nothing comes through, no connection ends
)

// strike is what was done to a process, and what it hit.
type strike struct {
	at     time.Time
	class  class
	name   string
	deed   deed
	lasted time.Duration

	own           int64 // records that the process itself knew it had not committed, -1: it did not say
	before, after int64 // records that its groups had not committed in Kafka, right before and after, -1: not known
	announced     int   // ranges of events that were being stored
	waiting       int64 // POSTs, questions or requests to take records that were not answered
}

// hit reports whether work was in flight.
func (s *strike) hit() bool {
	return s.own > 0 || s.waiting > 0 || s.class == engines && s.announced > 0
}

func (s *strike) String() string {
	return fmt.Sprintf("%-6s %-8s %-5s %5.1fs  uncommitted: own %s, group %s → %s; being stored %d; unanswered %d",
		s.class, s.name, s.deed, s.lasted.Seconds(), known(s.own), known(s.before), known(s.after), s.announced, s.waiting)
}

func known(n int64) string {
	if n < 0 {
		return "?"
	}
	return fmt.Sprint(n)
}

// striker strikes at an installation and its brokers.
type striker struct {
	*installation
	brokers   *brokers
	questions atomic.Int64 // to the API, not answered

	mu      sync.Mutex
	rng     *rand.Rand
	strikes []*strike
}

// readings are the groups that a class commits for.
var readings = map[class][]reading{
	matchers:  {matching},
	windowers: {windowing},
	storers:   {storeEvents, storeFound, storeDead},
	engines:   {storeEvents, storeFound, storeDead},
}

// draw returns a number below n.
func (s *striker) draw(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rng.IntN(n)
}

// between draws a duration.
func (s *striker) between(from, to time.Duration) time.Duration {
	return from + time.Duration(s.draw(int(to-from)))
}

// torment strikes at the processes of a class until ctx ends, each time about so
// long after the last.
func (s *striker) torment(ctx context.Context, c class, every time.Duration) error {
	for pause(ctx, s.between(every/2, every*3/2)) {
		n := s.victim(ctx, c)
		blow := s.measure(ctx, n)
		p, err := n.current()
		if err != nil {
			return err
		}
		began := time.Now()
		if s.draw(3) > 0 {
			blow.deed, blow.lasted = kills, s.between(0, 3*time.Second)
			if n.kill(blow.lasted) != nil {
				continue // it had ended by itself
			}
		} else {
			blow.deed = pauses
			if p.Pause() != nil {
				continue
			}
			pause(ctx, s.between(500*time.Millisecond, 9*time.Second))
		}
		blow.after = s.behind(context.Background(), c)
		if blow.deed == pauses {
			_ = p.Resume() // it cannot have ended
			blow.lasted = time.Since(began)
		}
		s.note(blow)
		if blow.deed == kills {
			pause(ctx, blow.lasted+restart)
		}
	}
	return nil
}

// pause waits, and reports whether ctx is alive then.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

func (s *striker) note(blow *strike) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.strikes = append(s.strikes, blow)
	s.t.Logf("strike %3d %v", len(s.strikes), blow)
}

// victim draws a process of a class, for a while only one with work in flight.
func (s *striker) victim(ctx context.Context, c class) *node {
	all := s.of(c)
	for deadline := time.Now().Add(5 * time.Second); ; {
		n := all[s.draw(len(all))]
		if s.inFlight(ctx, n) > 0 || time.Now().After(deadline) || ctx.Err() != nil {
			return n
		}
		pause(ctx, time.Millisecond)
	}
}

// inFlight returns how much a process has begun and not finished, -1 where that
// is not known.
func (s *striker) inFlight(ctx context.Context, n *node) int64 {
	switch n.class {
	case ingesting:
		return s.posts(n.name)
	case answering:
		return s.questions.Load()
	case engines:
		_, announced := s.standing(ctx, n.class)
		return int64(announced)
	default:
		return n.sample(ctx, "klaxon_log_lag_records{")
	}
}

func (s *striker) posts(name string) int64 {
	for _, d := range s.doors.All {
		if d.Name == name {
			return d.Waiting()
		}
	}
	return 0
}

// measure begins a strike.
func (s *striker) measure(ctx context.Context, n *node) *strike {
	blow := &strike{class: n.class, name: n.name}
	blow.before, blow.announced = s.standing(ctx, n.class)
	switch n.class {
	case ingesting, answering:
		blow.waiting = s.inFlight(ctx, n)
	case engines:
	default:
		blow.own = s.inFlight(ctx, n)
	}
	blow.at = time.Now()
	return blow
}

// standing returns how many records the groups of a class have not committed, -1
// where that is not known, and how many ranges they are storing.
func (s *striker) standing(ctx context.Context, c class) (behind int64, announced int) {
	for _, r := range readings[c] {
		at, err := s.brokers.standing(ctx, r)
		if err != nil {
			return -1, announced
		}
		behind += at.behind()
		announced += at.announced
	}
	return behind, announced
}

func (s *striker) behind(ctx context.Context, c class) int64 {
	n, _ := s.standing(ctx, c)
	return n
}

// busyBroker draws a broker, for a while only one that has not answered all that
// it was asked to take, and returns how many requests that are.
func (s *striker) busyBroker(ctx context.Context) (id int, waiting int64) {
	for deadline := time.Now().Add(10 * time.Second); ; {
		id := 1 + s.draw(len(s.brokers.proxies))
		if n := s.brokers.proxies[id-1].Produces(); n > 0 || time.Now().After(deadline) || ctx.Err() != nil {
			return id, n
		}
		pause(ctx, time.Millisecond)
	}
}

// tormentBrokers does the same to the brokers, one at a time: what is written
// needs two of three. It is called on the test's own goroutine.
func (s *striker) tormentBrokers(ctx context.Context, t *testing.T, every time.Duration) {
	for pause(ctx, s.between(every/4, every/2)) { // a strike and its mending take their time
		does := []deed{kills, kills, kills, kills, pauses, pauses, pauses, cuts, delays, stalls}[s.draw(10)]
		long := s.between(500*time.Millisecond, 6*time.Second)
		id, waiting := s.busyBroker(ctx)
		proxy := s.brokers.proxies[id-1]
		blow := &strike{at: time.Now(), class: broking, name: fmt.Sprint("broker-", id), deed: does, waiting: waiting, before: -1, after: -1}
		switch blow.deed {
		case kills:
			s.brokers.Kill(t, id)
			pause(ctx, long)
			s.brokers.Restart(t, id)
		case pauses:
			s.brokers.Pause(t, id)
			pause(ctx, long)
			s.brokers.Resume(t, id)
		case cuts:
			proxy.Cut()
			pause(ctx, long)
		case delays:
			proxy.Delay(s.between(20*time.Millisecond, 300*time.Millisecond))
			pause(ctx, 2*long)
		case stalls:
			proxy.Stall()
			pause(ctx, long)
		}
		proxy.Heal()
		blow.lasted = time.Since(blow.at)
		s.note(blow)
	}
}
