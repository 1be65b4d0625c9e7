package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// target is what a strike kills.
type target string

const (
	serveAlone  target = "serve"
	engineAlone target = "engine"
	serveEngine target = "both"
)

// moment is what a strike waits for.
type moment string

const (
	atInsert moment = "insert" // serve says that an insert is in flight
	atPost   moment = "post"   // a sender begins a POST
	atRandom moment = "random"
	atStart  moment = "start" // serve has been started and is not ready yet
)

// strike is one kill -9 and what it hit.
type strike struct {
	target     target
	moment     moment
	taken      int64 // events that were acknowledged so far
	unanswered int   // POSTs that serve had taken and never answered
	insert     bool  // an insert of events was in flight
}

func (s strike) String() string {
	return fmt.Sprintf("%-6s at %-6s  %6d events acknowledged, POSTs unanswered: %d, insert in flight: %v",
		s.target, s.moment, s.taken, s.unanswered, s.insert)
}

// killer kills parts of an installation under load and starts them again.
type killer struct {
	*installation
	door *door
	rng  *rand.Rand
}

// plan draws what to kill and when.
func (k *killer) plan() strike {
	s := strike{target: []target{serveAlone, serveAlone, engineAlone, serveEngine, serveEngine}[k.rng.IntN(5)]}
	switch draw := k.rng.IntN(20); {
	case s.target == engineAlone && draw < 15, draw < 8:
		s.moment = atInsert
	case draw < 18:
		s.moment = atPost
	default:
		s.moment = atRandom
	}
	return s
}

// strike kills once and returns when all is up again, after a second kill in
// between at times.
func (k *killer) strike() []strike {
	k.t.Helper()
	s := k.plan()
	k.loaded()
	pids, said := k.pids(s.target), len(k.log.String())
	k.await(s.moment)
	posts := k.door.onTheWay()
	k.kill(pids)
	s.taken = k.door.taken.Load()
	if s.target == engineAlone {
		s.insert = k.insertFailed(said) // and all POSTs are answered: serve lives
		return []strike{s}
	}
	s.unanswered = unanswered(posts)
	done := []strike{s}
	if k.rng.IntN(10) == 0 {
		done = append(done, k.strikeAtStart())
	}
	k.launch()
	k.until("serve is ready again", k.ready)
	k.door.opened(k.installation)
	done[0].insert = k.insertRepeated()
	return done
}

// strikeAtStart kills serve while it starts.
func (k *killer) strikeAtStart() strike {
	s := strike{target: serveAlone, moment: atStart, taken: k.door.taken.Load()}
	k.launch()
	time.Sleep(time.Duration(k.rng.Int64N(int64(1500 * time.Millisecond))))
	if k.rng.IntN(2) == 0 && k.engine() != 0 {
		s.target = serveEngine
	}
	k.kill(k.pids(s.target))
	return s
}

// loaded waits until serve has acknowledged some more, so that it is at work.
func (k *killer) loaded() {
	k.t.Helper()
	enough := k.door.taken.Load() + 1 + k.rng.Int64N(1500)
	k.until("serve takes events", func() error {
		if n := k.door.taken.Load(); n < enough {
			return fmt.Errorf("%d were acknowledged, want %d", n, enough)
		}
		return nil
	})
}

// await waits for the moment, and a little longer.
func (k *killer) await(m moment) {
	k.t.Helper()
	longer := time.Second
	switch m {
	case atInsert:
		k.until("an insert is in flight", k.inFlight)
		longer = 10 * time.Millisecond
	case atPost:
		select {
		case <-k.door.begun:
		case <-time.After(30 * time.Second):
			k.t.Fatal("no sender begins a POST")
		}
		longer = 500 * time.Microsecond
	}
	time.Sleep(time.Duration(k.rng.Int64N(int64(longer))))
}

// inFlight asks serve, for a while and as fast as it answers, whether an insert
// of events is in flight; nil: one is.
func (k *killer) inFlight() error {
	for range 200 {
		n, err := k.sample(`klaxon_store_inserts_in_flight{table="audit_events"}`)
		if err != nil {
			return err
		}
		if n > 0 {
			return nil
		}
		time.Sleep(2 * time.Millisecond)
	}
	return errors.New("none was seen")
}

// pids returns the processes of a target, in any order.
func (k *killer) pids(what target) []int {
	k.t.Helper()
	var pids []int
	if what != engineAlone {
		pids = append(pids, k.serve.Process.Pid)
	}
	if what != serveAlone {
		engine := k.engine()
		if engine == 0 {
			k.t.Fatal("serve has no engine")
		}
		pids = append(pids, engine)
	}
	k.rng.Shuffle(len(pids), func(i, j int) { pids[i], pids[j] = pids[j], pids[i] })
	return pids
}

// kill ends processes by SIGKILL, and waits for the end of serve.
func (k *killer) kill(pids []int) {
	k.t.Helper()
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			k.t.Fatal(err)
		}
	}
	if slices.Contains(pids, k.serve.Process.Pid) {
		_ = k.serve.Wait()
	}
}

// engine returns the process id of serve's child, 0 if it has none.
func (k *killer) engine() int {
	k.t.Helper()
	out, err := exec.Command("ps", "-A", "-o", "ppid=", "-o", "pid=").Output()
	if err != nil {
		k.t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) == 2 && f[0] == strconv.Itoa(k.serve.Process.Pid) {
			pid, _ := strconv.Atoi(f[1])
			return pid
		}
	}
	return 0
}

// insertRepeated reports whether the serve before had announced an insert and
// not committed it: then the first thing that this one stores is the same again.
func (k *killer) insertRepeated() bool {
	k.t.Helper()
	k.stored(1)
	return strings.Contains(k.log.String(), `msg="an insert that was cut short is repeated"`)
}

var failedInsert = regexp.MustCompile(`(?m)^.*topic=events .*operation=insert error=(.*)$`)

// insertFailed reports whether the engine's end broke an insert off: of what
// serve has said since, the first failure is no failed connect.
func (k *killer) insertFailed(since int) bool {
	k.t.Helper()
	n, err := k.sample(storedBatches)
	if err != nil {
		k.t.Fatal(err)
	}
	k.stored(n + 1)
	failure := failedInsert.FindStringSubmatch(k.log.String()[since:])
	return failure != nil && !strings.Contains(failure[1], "dial")
}

const storedBatches = `klaxon_store_batches_total{table="audit_events"}`

// stored waits until serve has stored so many batches since its start.
func (k *killer) stored(batches float64) {
	k.t.Helper()
	k.until("the store goes on", func() error {
		n, err := k.sample(storedBatches)
		if err == nil && n < batches {
			err = fmt.Errorf("%v batches were stored, want %v", n, batches)
		}
		return err
	})
}
