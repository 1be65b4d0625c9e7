package tail

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/klaxon-dev/klaxon/ingest"
)

// live is a tail that follows while a test writes. It is in a bubble of
// testing/synctest: time passes when nothing happens.
type live struct {
	*tailTest
	stop context.CancelFunc
	end  chan error
}

func (t *tailTest) start() *live {
	t.once = false
	ctx, cancel := context.WithCancel(t.t.Context())
	l := &live{tailTest: t, stop: cancel, end: make(chan error, 1)}
	go func() {
		_, err := t.run(ctx)
		l.end <- err
	}()
	return l
}

// want waits for what is sent at once: the longest that a batch waits, and that
// a file is not looked at.
func (l *live) want(ids string) {
	l.t.Helper()
	time.Sleep(maxWait + pollEvery)
	synctest.Wait()
	if got := l.took(); got != ids {
		l.t.Errorf("got %q, want %q\n%s", got, ids, l.log)
	}
}

// ends stops it and wants no error.
func (l *live) ends() {
	l.t.Helper()
	l.stop()
	if err := <-l.end; err != nil {
		l.t.Error(err)
	}
}

func TestFollows(t *testing.T) {
	f := func(name string, gaps int, do func(*live)) {
		t.Run(name, func(t *testing.T) {
			r := newTailTest(t)
			synctest.Test(t, func(t *testing.T) {
				r.t, r.receiver.t = t, t
				l := r.start()
				defer l.ends()
				l.want("")
				r.events("a")
				l.want("a")
				do(l)
				if got := strings.Count(r.log.String(), "may be missing"); got != gaps {
					t.Errorf("%d gaps, want %d\n%s", got, gaps, r.log)
				}
			})
			if !t.Failed() {
				r.t, r.receiver.t, r.once = t, t, true
				r.wantOnce("")
			}
		})
	}
	f("growing", 0, func(l *live) {
		l.events("b c")
		l.want("b c")
	})
	f("a line in parts", 0, func(l *live) {
		text := event("b")
		l.write("audit.log", text[:100])
		l.want("")
		l.write("audit.log", text[100:len(text)-1])
		l.want("")
		l.write("audit.log", "\n")
		l.want("b")
	})
	f("rotation", 0, func(l *live) {
		l.events("b")
		l.rotate(1)
		l.want("b")
		l.events("c")
		l.want("c")
	})
	f("two rotations at once, compressed", 0, func(l *live) {
		l.events("b")
		l.rotate(1)
		l.events("c")
		l.rotate(2)
		l.compress(rotated(2))
		l.compress(rotated(1))
		l.events("d")
		l.want("b c d")
	})
	f("a late line in the rotated file", 0, func(l *live) {
		l.rotate(1)
		l.want("")
		l.write(rotated(1), event("b"))
		l.want("b")
		l.events("c")
		l.want("c")
	})
	f("removal and making anew", 0, func(l *live) {
		l.events("b")
		l.remove("audit.log")
		l.want("b")
		l.events("c")
		l.want("c")
	})
	f("a cut", 1, func(l *live) {
		l.cut("audit.log")
		l.want("")
		l.events("b")
		l.want("b")
	})
	f("a cut, and as much anew", 1, func(l *live) {
		l.cut("audit.log")
		l.events("b c d")
		l.want("b c d")
	})
	f("a copy and a cut", 0, func(l *live) {
		l.events("b")
		l.copy("audit.log", "audit.log.1")
		l.cut("audit.log")
		l.events("c")
		l.want("b c")
	})
	f("a cut and removal", 1, func(l *live) {
		l.cut("audit.log")
		l.remove("audit.log")
		l.want("")
		l.events("b")
		l.want("b")
	})
}

// A file that is copied and cut between two readings, without a look between
// them, and is longer than before at once, loses nothing.
func TestCutBetweenReadings(t *testing.T) {
	f := func(name, before string, gaps int, cut func(*tailTest), want string) {
		t.Helper()
		r := newTailTest(t)
		m, err := newMetrics(prometheus.NewRegistry())
		r.must(err)
		follower := follower{path: r.file, from: FromStart, logger: slog.New(slog.NewTextHandler(r.log, nil)), metrics: m}
		defer follower.close()
		read := func(n int) (ids []string) {
			t.Helper()
			for range n {
				l, err := follower.next()
				r.must(err)
				ids = append(ids, string(auditID.FindSubmatch(l.text)[1]))
			}
			return ids
		}
		r.events(before)
		r.must(follower.begin())
		read(len(strings.Fields(before)))
		cut(r)
		got := strings.Join(read(len(strings.Fields(want))), " ")
		if got != want || follower.gaps != gaps {
			t.Errorf("%s: got %q and %d gaps, want %q and %d\n%s", name, got, follower.gaps, want, gaps, r.log)
		}
		if l, err := follower.next(); !errors.Is(err, io.EOF) {
			t.Errorf("%s: %q, %v at the end", name, l.text, err)
		}
	}
	copyAndCut := func(r *tailTest) {
		r.events("x")
		r.copy("audit.log", "audit.log.1")
		r.cut("audit.log")
		r.events("c d e f g")
	}
	f("a short file", "a", 0, copyAndCut, "x c d e f g")
	f("a file", "a b", 0, copyAndCut, "x c d e f g")
	f("a file that is known well", "a b 1 2", 0, copyAndCut, "x c d e f g")
	f("without a copy", "a b", 1, func(r *tailTest) { r.cut("audit.log"); r.events("c d e") }, "c d e")
	f("half a line was there", "a b", 0, func(r *tailTest) {
		text := event("x")
		r.write("audit.log", text[:50])
		r.copy("audit.log", "audit.log.1")
		r.cut("audit.log")
		r.write("audit.log", event("c"), event("d"), event("e"))
		r.write("audit.log.1", text[50:])
	}, "x c d e")
}

// While the receiver is away, the rotated file that is next is removed.
func TestSaysWhatWasRemovedBeforeItsTurn(t *testing.T) {
	r := newTailTest(t)
	synctest.Test(t, func(t *testing.T) {
		r.t, r.receiver.t = t, t
		l := r.start()
		defer l.ends()
		r.events("a")
		l.want("a")
		r.mu.Lock()
		away := time.Now().Add(time.Minute)
		r.refuse = func(context.Context, int) error {
			if time.Now().Before(away) {
				return errors.New("connection refused")
			}
			return nil
		}
		r.mu.Unlock()
		r.events("b")
		l.want("")
		r.rotate(1)
		r.events("c")
		l.want("")
		time.Sleep(10 * time.Second)
		r.rotate(2)
		r.remove(rotated(2))
		r.events("d")
		time.Sleep(time.Minute + lastBackoff)
		l.want("b d")
		if got := strings.Count(r.log.String(), "may be missing"); got != 1 {
			t.Errorf("%d gaps, want 1\n%s", got, r.log)
		}
	})
}

// TestWritersAtRandom writes, rotates, compresses, copies and cuts, stops and
// starts the tail and lets the receiver refuse, and wants every event, in order.
// Some come again: of files that are too short to be known by what they hold.
func TestWritersAtRandom(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := newTailTest(t)
			synctest.Test(t, func(t *testing.T) {
				r.t, r.receiver.t = t, t
				w := &randomWriter{tailTest: r, Rand: rand.New(rand.NewPCG(seed, 1)), answers: rand.New(rand.NewPCG(seed, 2))}
				r.refuse = w.refuse
				w.run()
			})
		})
	}
}

type randomWriter struct {
	*tailTest
	*rand.Rand
	ids     []string // written
	part    string   // of a line: what is missing of it
	minute  int
	calm    atomic.Bool // the receiver accepts
	answers *rand.Rand
}

// refuse is called by the tail's goroutine.
func (w *randomWriter) refuse(context.Context, int) error {
	if w.calm.Load() || w.answers.IntN(3) > 0 {
		return nil
	}
	return &ingest.StatusError{Code: 503, Status: "503", RetryAfter: time.Duration(w.answers.IntN(2)) * time.Second}
}

func (w *randomWriter) run() {
	w.line()
	l := w.start()
	synctest.Wait() // it begins with the file that is there now
	for range 40 {
		w.act()
		time.Sleep(time.Duration(w.IntN(1500)) * time.Millisecond)
		synctest.Wait()
		if w.IntN(6) == 0 {
			l.ends()
			w.act()
			l = w.start()
		}
	}
	if w.part != "" {
		w.line()
	}
	w.calm.Store(true)
	time.Sleep(time.Minute)
	synctest.Wait()
	l.ends()
	if got, want := firsts(w.took()), strings.Join(w.ids, " "); got != want {
		w.t.Errorf("got  %s\nwant %s\n%s", got, want, w.log)
	}
	if text := w.log.String(); strings.Contains(text, "missing") || len(w.letters) > 0 {
		w.t.Error(text, w.letters)
	}
}

func (w *randomWriter) act() {
	_, err := os.Stat(w.file)
	whole := err == nil && w.part == ""
	switch n := w.IntN(10); {
	case n < 2 && whole:
		w.minute++
		w.rotate(w.minute)
	case n == 2 && whole:
		w.minute++
		w.copy("audit.log", rotated(w.minute))
		w.cut("audit.log")
	case n == 3 && w.minute > 0:
		if _, err := os.Stat(w.path(rotated(w.minute))); err == nil {
			w.compress(rotated(w.minute))
		}
	default:
		for range w.IntN(4) {
			w.line()
		}
	}
}

// firsts leaves out what came again.
func firsts(ids string) string {
	var first []string
	for _, id := range strings.Fields(ids) {
		if !slices.Contains(first, id) {
			first = append(first, id)
		}
	}
	return strings.Join(first, " ")
}

// line writes a line, or the rest of one, or a part.
func (w *randomWriter) line() {
	if w.part != "" {
		w.write("audit.log", w.part)
		w.part = ""
		return
	}
	id := fmt.Sprint(len(w.ids))
	w.ids = append(w.ids, id)
	text := event(id)
	n := len(text)
	if w.IntN(4) == 0 {
		n = w.IntN(n)
	}
	w.write("audit.log", text[:n])
	w.part = text[n:]
}
