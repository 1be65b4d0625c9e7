package tail

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klaxon-dev/klaxon/ingest"
)

// in runs a test of a tail in a bubble, where time passes when nothing happens.
func in(t *testing.T, do func(*tailTest)) {
	t.Helper()
	r := newTailTest(t)
	synctest.Test(t, func(t *testing.T) {
		r.t, r.receiver.t = t, t
		do(r)
	})
}

func (t *tailTest) stored() string {
	t.t.Helper()
	text, err := os.ReadFile(t.state)
	if err != nil && !os.IsNotExist(err) {
		t.t.Fatal(err)
	}
	return string(text)
}

func TestStoresOnlyWhatTheReceiverHas(t *testing.T) {
	r := newTailTest(t)
	r.events(strings.Repeat("a ", batchLines) + strings.Repeat("b ", batchLines) + "c")
	size := len(event("a"))
	var at []string
	r.refuse = func(context.Context, int) error {
		_, offset, _ := strings.Cut(r.stored(), `"offset": `)
		offset, _, _ = strings.Cut(offset, ",")
		at = append(at, offset)
		return nil
	}
	if stats := r.wantOnce(strings.TrimSpace(strings.Repeat("a ", batchLines) + strings.Repeat("b ", batchLines) + "c")); stats.Requests != 3 {
		t.Errorf("%d requests", stats.Requests)
	}
	want := []string{"0", itoa(batchLines * size), itoa(2 * batchLines * size)}
	if strings.Join(at, " ") != strings.Join(want, " ") {
		t.Errorf("stored before each request: %v, want %v", at, want)
	}
}

func TestSendsAgainUntilAccepted(t *testing.T) {
	f := func(name string, tries int, least, most time.Duration, err error) {
		t.Run(name, func(t *testing.T) {
			in(t, func(r *tailTest) {
				r.refuse = func(_ context.Context, post int) error {
					if post < tries {
						return err
					}
					return nil
				}
				r.events("a")
				start := time.Now()
				stats := r.wantOnce("a")
				if took := time.Since(start); took < least || took > most || stats.Retries != int64(tries-1) {
					t.Errorf("%d retries in %v, want %d in %v to %v", stats.Retries, took, tries-1, least, most)
				}
				if said := strings.Count(r.log.String(), "sending them again"); said < 1 || said > int(most/time.Minute)+1 {
					t.Errorf("said %d times\n%s", said, r.log)
				}
			})
		})
	}
	f("nobody there", 4, 3500*time.Millisecond, 4200*time.Millisecond, errors.New("connection refused"))
	f("for a while", 20, 413*time.Second, 500*time.Second, errors.New("connection refused"))
	f("503", 2, 500*time.Millisecond, 600*time.Millisecond, &ingest.StatusError{Code: 503})
	f("503 with 5 s", 4, 15*time.Second, 18*time.Second, &ingest.StatusError{Code: 503, RetryAfter: 5 * time.Second})
	f("429 with an hour", 2, 5*time.Minute, 6*time.Minute, &ingest.StatusError{Code: 429, RetryAfter: time.Hour})
}

// A refusal that will not change by itself ends a run that is to end, and no
// other: somebody may mend it.
func TestRefusalForGood(t *testing.T) {
	in(t, func(r *tailTest) {
		refused := &ingest.StatusError{Code: 401, Status: "401 Unauthorized", Text: "no"}
		var mended atomic.Bool
		r.refuse = func(context.Context, int) error {
			if mended.Load() {
				return nil
			}
			return refused
		}
		r.events("a")
		if _, err := r.run(r.t.Context()); !errors.Is(err, refused) || r.posted() != 1 {
			t.Errorf("got %v after %d requests", err, r.posted())
		}
		l := r.start()
		defer l.ends()
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := r.posted(); n < 60 {
			t.Errorf("%d requests in an hour", n)
		}
		mended.Store(true)
		time.Sleep(time.Minute)
		l.want("a")
	})
}

func TestGivesUpWhenTold(t *testing.T) {
	in(t, func(r *tailTest) {
		r.retry = time.Minute
		r.refuse = func(context.Context, int) error { return &ingest.StatusError{Code: 503, Status: "503"} }
		r.events("a")
		start := time.Now()
		_, err := r.run(r.t.Context())
		if took := time.Since(start); err == nil || !strings.Contains(err.Error(), "not accepted within 1m0s") || took > time.Minute {
			t.Errorf("got %v after %v", err, took)
		}
		r.refuse = nil
		r.wantOnce("a")
	})
}

// When it is to end, the receiver has some seconds for what it was sent.
func TestEndsWithTheAnswer(t *testing.T) {
	f := func(name string, answers time.Duration, stored bool) {
		t.Run(name, func(t *testing.T) {
			in(t, func(r *tailTest) {
				r.refuse = func(ctx context.Context, _ int) error { return sleep(ctx, answers) }
				l := r.start()
				r.events("a")
				time.Sleep(maxWait + pollEvery)
				start := time.Now()
				l.ends()
				if took := time.Since(start); took > grace {
					t.Errorf("it took %v", took)
				}
				if got := r.took() == "a"; got != stored {
					t.Errorf("accepted: %t, want %t", got, stored)
				}
				r.once, r.refuse = true, nil
				if stored {
					r.wantOnce("")
				} else {
					r.wantOnce("a")
				}
			})
		})
	}
	f("that comes in time", 9*time.Second, true)
	f("that does not", time.Minute, false)
}

// What was read and not yet sent is sent.
func TestEndsWithWhatItRead(t *testing.T) {
	in(t, func(r *tailTest) {
		r.events("a")
		l := r.start()
		time.Sleep(pollEvery)
		synctest.Wait()
		if r.posted() > 0 {
			t.Fatal("it was sent at once")
		}
		l.ends()
		if got := r.took(); got != "a" {
			t.Errorf("got %q", got)
		}
	})
}

func TestOnceIsNotDoneWhenItIsStopped(t *testing.T) {
	in(t, func(r *tailTest) {
		r.events("a")
		ctx, cancel := context.WithCancel(r.t.Context())
		r.refuse = func(context.Context, int) error {
			cancel()
			return errors.New("connection refused")
		}
		if _, err := r.run(ctx); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "run it again") {
			t.Errorf("got %v", err)
		}
	})
}
