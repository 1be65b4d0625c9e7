package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/internal/topic"
)

func sequence(events ...string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for _, e := range events {
			if !yield([]byte(e), nil) {
				return
			}
		}
	}
}

// logLine is an event as a log file has it.
func logLine(item string) string {
	return `{"kind":"Event","apiVersion":"audit.k8s.io/v1",` + strings.TrimPrefix(item, "{")
}

func TestReplayKeepsItemsByteForByte(t *testing.T) {
	for name, body := range recordedPosts(t) {
		if !strings.HasPrefix(name, "mixed-00000") {
			continue
		}
		var lines []string
		for _, item := range itemsOf(t, body) {
			lines = append(lines, logLine(string(item)))
		}
		posted := make(chan []byte, 1)
		c := ReplayConfig{URL: "https://h/webhook/prod", Client: answering(func(req *http.Request) (int, string) {
			b, err := io.ReadAll(req.Body)
			if err != nil {
				t.Error(err)
			}
			posted <- b
			return 200, ""
		})}
		if _, err := Replay(t.Context(), c, sequence(lines...)); err != nil {
			t.Fatal(err)
		}
		if got := <-posted; !bytes.Equal(got, body) {
			t.Errorf("%s: the replayed body differs from the recorded one", name)
		}
	}
}

func TestReplayToReceiver(t *testing.T) {
	r := newReceiverTest(t)
	var lines, items []string
	for i := range 950 {
		items = append(items, event(fmt.Sprint(i)))
		lines = append(lines, logLine(items[i]))
	}
	var sent []int
	c := ReplayConfig{URL: r.url + "/webhook/prod", Token: tokenA, Client: r.client, Sent: func(s ReplayStats) { sent = append(sent, s.Events) }}
	stats, err := Replay(t.Context(), c, sequence(lines...))
	r.must(err)
	if want := (ReplayStats{Events: 950, Requests: 3}); stats != want {
		t.Errorf("got %+v, want %+v", stats, want)
	}
	if want := []int{400, 800, 950}; !slices.Equal(sent, want) {
		t.Errorf("told of %v, want %v", sent, want)
	}
	var got []string
	for _, e := range r.log.events(t, topic.KindEvent) {
		got = append(got, string(e.Item))
	}
	if diff := cmp.Diff(items, got); diff != "" {
		t.Error(diff)
	}
}

// answering is a client whose requests are answered by f.
func answering(f func(*http.Request) (code int, retryAfter string)) *http.Client {
	return &http.Client{Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
		code, after := f(req)
		if code == 0 {
			return nil, errors.New("connection refused")
		}
		res := &http.Response{StatusCode: code, Status: fmt.Sprint(code), Header: http.Header{}, Body: io.NopCloser(strings.NewReader("said"))}
		if after != "" {
			res.Header.Set("Retry-After", after)
		}
		return res, nil
	})}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func TestReplayRequest(t *testing.T) {
	var got *http.Request
	c := ReplayConfig{URL: "https://h/webhook/prod", Token: tokenA, Client: answering(func(req *http.Request) (int, string) {
		got = req
		return 204, ""
	})}
	if _, err := Replay(t.Context(), c, sequence(event("x"))); err != nil {
		t.Fatal(err)
	}
	if got.URL.String() != "https://h/webhook/prod?timeout=30s" || got.ContentLength != int64(len(list(event("x")))) {
		t.Errorf("to %s, Content-Length %d", got.URL, got.ContentLength)
	}
	want := http.Header{
		"Accept": {"application/json, */*"}, "Content-Type": {"application/json"},
		"User-Agent": {"Go-http-client/2.0"}, "Authorization": {"Bearer " + tokenA},
	}
	if diff := cmp.Diff(want, got.Header); diff != "" {
		t.Error(diff)
	}
}

// TestReplayRetriesAsAPIServersDo compares with what was measured on a real
// one: tries and the time from the first to the last.
func TestReplayRetriesAsAPIServersDo(t *testing.T) {
	f := func(name string, code int, after string, tries int, least, most time.Duration) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			var first, last time.Time
			n := 0
			c := ReplayConfig{URL: "https://h/webhook/prod", Client: answering(func(*http.Request) (int, string) {
				last = time.Now()
				if n++; n == 1 {
					first = last
				}
				return code, after
			})}
			stats, err := Replay(t.Context(), c, sequence(event("x"), event("y")))
			if !errors.Is(err, ErrDropped) || stats.Dropped != 2 || stats.Retries != tries-1 {
				t.Errorf("%s: got %+v, %v", name, stats, err)
			}
			if took := last.Sub(first); n != tries || took < least || took > most {
				t.Errorf("%s: %d tries in %v, want %d in %v to %v", name, n, took, tries, least, most)
			}
		})
	}
	f("500", 500, "", 5, 81*time.Second, 98*time.Second)
	f("429", 429, "", 5, 81*time.Second, 98*time.Second)
	f("503 with 5 s", 503, "5", 30, 200*time.Second, 245*time.Second)
	f("429 with 2 s", 429, "2", 55, 180*time.Second, 200*time.Second)
	f("503 with 60 s", 503, "60", 5, 190*time.Second, 245*time.Second)
}

func TestReplayEndsAtOnceWhereRetriesAreVain(t *testing.T) {
	f := func(name string, code int, want string) {
		t.Helper()
		n := 0
		c := ReplayConfig{URL: "https://h/webhook/prod", Token: tokenA, Client: answering(func(*http.Request) (int, string) {
			n++
			return code, ""
		})}
		_, err := Replay(t.Context(), c, sequence(event("x")))
		if err == nil || !strings.Contains(err.Error(), want) || n != 1 {
			t.Errorf("%s: got %v after %d tries, want it to say %q after one", name, err, n, want)
		}
		if strings.Contains(err.Error(), tokenA) {
			t.Errorf("%s: the error tells the token", name)
		}
	}
	f("401", 401, `refused with 401: "said"`)
	f("404", 404, "refused with 404")
	f("nobody there", 0, "connection refused")
	f("a redirect", 307, "refused with 307")
}

func TestReplayPace(t *testing.T) {
	at := func(id string, second int) string {
		return strings.Replace(event(id), `"stageTimestamp":"2026-11-21T02:16:47.709999Z"`, fmt.Sprintf(`"stageTimestamp":"2026-11-21T02:17:%02d.000000Z"`, second), 1)
	}
	f := func(name string, change func(*ReplayConfig), want ...string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			var got []string
			c := ReplayConfig{URL: "https://h/webhook/prod", Client: answering(func(req *http.Request) (int, string) {
				body, _ := io.ReadAll(req.Body)
				got = append(got, fmt.Sprintf("%v: %d", time.Since(start), len(itemsOf(t, body))))
				return 200, ""
			})}
			change(&c)
			if _, err := Replay(t.Context(), c, sequence(at("a", 0), at("b", 0), at("c", 4), at("d", 20))); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		})
	}
	f("no pace", func(*ReplayConfig) {}, "0s: 4")
	f("as recorded", func(c *ReplayConfig) { c.Speed = 1 }, "0s: 2", "4s: 1", "20s: 1")
	f("ten times faster", func(c *ReplayConfig) { c.Speed = 10 }, "0s: 2", "1s: 1", "2s: 1")
	f("two in a second", func(c *ReplayConfig) { c.Rate, c.Batch = 2, 2 }, "0s: 2", "1s: 2")
	f("small requests", func(c *ReplayConfig) { c.Batch = 3 }, "0s: 3", "0s: 1")
}

func TestReplayEndsWithItsContextAndItsInput(t *testing.T) {
	n := 0
	c := ReplayConfig{URL: "https://h/webhook/prod", Client: answering(func(*http.Request) (int, string) { n++; return 200, "" })}
	broken := errors.New("disk")
	_, err := Replay(t.Context(), c, func(yield func([]byte, error) bool) {
		if yield([]byte(event("x")), nil) {
			yield(nil, broken)
		}
	})
	if !errors.Is(err, broken) || n != 1 {
		t.Errorf("got %v after %d requests: what came before the error must be sent", err, n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	c.Client = answering(func(*http.Request) (int, string) { cancel(); return 503, "5" })
	if _, err := Replay(ctx, c, sequence(event("x"))); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestReplayMovesTimes(t *testing.T) {
	r := newReceiverTest(t)
	c := ReplayConfig{URL: r.url + "/webhook/prod", Token: tokenA, Client: r.client, Delta: 24 * time.Hour}
	_, err := Replay(t.Context(), c, sequence(logLine(event("x"))))
	r.must(err)
	want := strings.ReplaceAll(event("x"), "2026-11-21T", "2026-11-22T")
	if got := r.log.events(t, topic.KindEvent); len(got) != 1 || string(got[0].Item) != want {
		t.Errorf("got %s, want %s", got[0].Item, want)
	}
	var e audit.Event
	r.must(audit.Scan([]byte(want), &e))
}
