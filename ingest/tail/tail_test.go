package tail

import (
	"compress/gzip"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// compress does what lumberjack does to a rotated file.
func (t *tailTest) compress(name string) {
	t.t.Helper()
	text, err := os.ReadFile(t.path(name))
	t.must(err)
	f, err := os.Create(t.path(name + ".gz"))
	t.must(err)
	z := gzip.NewWriter(f)
	_, err = z.Write(text)
	t.must(err)
	t.must(z.Close())
	t.must(f.Close())
	t.remove(name)
}

// rotate does what an API server does when a file is full.
func (t *tailTest) rotate(minute int) {
	t.t.Helper()
	t.rename("audit.log", rotated(minute))
}

// TestGoesOnWhereItStopped: events a and b were brought, c and d were not.
func TestGoesOnWhereItStopped(t *testing.T) {
	f := func(name string, meanwhile func(*tailTest), want string, gaps int) {
		t.Run(name, func(t *testing.T) {
			r := newTailTest(t)
			r.events("a b")
			r.wantOnce("a b")
			meanwhile(r)
			stats := r.wantOnce(want)
			if stats.Gaps != gaps || strings.Contains(r.log.String(), "may be missing") != (gaps > 0) {
				t.Errorf("%d gaps, want %d\n%s", stats.Gaps, gaps, r.log)
			}
			r.wantOnce("")
		})
	}
	f("nothing happened", func(*tailTest) {}, "", 0)
	f("it grew", func(r *tailTest) { r.events("c d") }, "c d", 0)
	f("it was rotated", func(r *tailTest) { r.rotate(1); r.events("c d") }, "c d", 0)
	f("it grew and was rotated", func(r *tailTest) { r.events("c"); r.rotate(1); r.events("d") }, "c d", 0)
	f("it was rotated thrice", func(r *tailTest) {
		r.events("c")
		r.rotate(1)
		r.events("d")
		r.rotate(2)
		r.events("e")
		r.rotate(3)
		r.events("f")
	}, "c d e f", 0)
	f("it was rotated and compressed", func(r *tailTest) {
		r.events("c")
		r.rotate(1)
		r.compress(rotated(1))
		r.events("d")
	}, "c d", 0)
	f("all were compressed, the last one first", func(r *tailTest) {
		r.events("c")
		r.rotate(1)
		r.events("d")
		r.rotate(2)
		r.events("e")
		r.rotate(3)
		r.compress(rotated(3))
		r.compress(rotated(2))
		r.compress(rotated(1))
		r.events("f")
	}, "c d e f", 0)
	f("it is being compressed", func(r *tailTest) {
		r.events("c")
		r.rotate(1)
		r.write(rotated(1)+".gz", "\x1f\x8b half of it")
		r.events("d")
	}, "c d", 0)
	f("it was numbered", func(r *tailTest) {
		r.events("c")
		r.rename("audit.log", "audit.log.1")
		r.compress("audit.log.1")
		r.rename("audit.log.1.gz", "audit.log.2.gz")
		r.events("d")
		r.rename("audit.log", "audit.log.1")
		r.events("e")
	}, "c d e", 0)
	f("it was copied and cut", func(r *tailTest) {
		r.events("c")
		r.copy("audit.log", "audit.log.1")
		r.cut("audit.log")
		r.events("d")
	}, "c d", 0)
	f("it was copied and not cut yet", func(r *tailTest) {
		r.events("c")
		r.copy("audit.log", "audit.log.1")
		r.events("d")
	}, "c d", 0)
	f("it was cut", func(r *tailTest) { r.events("c"); r.cut("audit.log"); r.events("d") }, "d", 1)
	f("it was cut and is longer than before", func(r *tailTest) { r.cut("audit.log"); r.events("d e f g") }, "d e f g", 1)
	f("it was removed", func(r *tailTest) { r.events("c"); r.remove("audit.log"); r.events("d") }, "d", 1)
	f("it was rotated and removed", func(r *tailTest) {
		r.rotate(1)
		r.remove(rotated(1))
		r.events("c")
		r.rotate(2)
		r.events("d")
	}, "c d", 1)
	f("the directory holds others", func(r *tailTest) {
		r.write("audit-policy.log", event("x"))
		r.write("audit.log.lock", event("x"))
		r.must(os.Mkdir(r.path("audit.log.3"), 0o700))
		r.must(os.Symlink("/dev/zero", r.path("audit.log.2")))
		r.events("c")
	}, "c", 0)
	f("a rotated file ends amid a line", func(r *tailTest) {
		r.write("audit.log", event("c"), `{"kind":"Event",`)
		r.rotate(1)
		r.events("d")
	}, "c d", 0)
	f("a compressed file is broken", func(r *tailTest) {
		r.events("c")
		r.rotate(1)
		r.events("d")
		r.rotate(2)
		r.events(strings.Repeat("e ", 100))
		r.rotate(3)
		r.compress(rotated(3))
		r.must(os.Truncate(r.path(rotated(3)+".gz"), 40))
		r.events("f")
	}, "c d f", 1)
}

func TestBegins(t *testing.T) {
	f := func(from From, want, then string) {
		t.Helper()
		r := newTailTest(t)
		r.from = from
		r.events("a")
		r.rotate(1)
		r.compress(rotated(1))
		r.events("b")
		r.rotate(2)
		r.events("c d")
		r.write("audit.log", "half a ")
		stats := r.wantOnce(want)
		if stats.Unfinished != 7 && from != FromEnd {
			t.Errorf("%s: %d bytes are unfinished, want 7", from, stats.Unfinished)
		}
		r.write("audit.log", "line\n")
		r.events("e")
		r.wantOnce(then)
	}
	f(FromStart, "c d", "e")
	f(FromOldest, "a b c d", "e")
	f(FromEnd, "", "e")
}

func TestWithoutFile(t *testing.T) {
	r := newTailTest(t)
	if _, err := r.run(t.Context()); err == nil || !strings.Contains(err.Error(), "audit.log is not there") {
		t.Errorf("got %v", err)
	}
}

// What a link leads to is rotated, or the link itself is changed.
func TestLinks(t *testing.T) {
	r := newTailTest(t)
	r.must(os.Mkdir(r.path("pod"), 0o700))
	link := func(to string) {
		t.Helper()
		r.must(os.Symlink(to, r.path("next")))
		r.rename("next", "audit.log")
	}
	link("pod/0.log")
	r.write("pod/0.log", event("a"))
	r.wantOnce("a")
	r.write("pod/0.log", event("b"))
	r.rename("pod/0.log", "pod/0.log.20261121-120000")
	r.compress("pod/0.log.20261121-120000")
	r.write("pod/0.log", event("c"))
	r.wantOnce("b c")
	r.write("pod/0.log", event("d"))
	r.write("pod/1.log", event("e"))
	link("pod/1.log")
	r.wantOnce("d e")
	if strings.Contains(r.log.String(), "missing") {
		t.Error(r.log)
	}
}

func TestStatsAndMetrics(t *testing.T) {
	r := newTailTest(t)
	r.events("a b")
	r.write("audit.log", "\n", "no event\n", event("c"), "half")
	stats := r.wantOnce("a b c")
	size := int64(len(event("a"))*3 + 10)
	want := Stats{Lines: 5, Events: 3, Malformed: 1, Bytes: size, Requests: 2, Unfinished: 4, File: r.file, Offset: size, LastEvent: stats.LastEvent}
	if stats != want || stats.LastEvent.UnixMicro() != 1795227407709999 {
		t.Errorf("got %+v, want %+v", stats, want)
	}
	if len(r.letters) != 1 || r.letters[0] != "no event\n" {
		t.Errorf("dead letters %q", r.letters)
	}
	const counted = `events_total  3
files_total  1
gaps_total broken  0
gaps_total gone  0
gaps_total rewritten  0
lag_bytes  4
last_event_timestamp_seconds  1.795227407709999e+09
malformed_total syntax  1
read_bytes_total  SIZE
requests_total accepted  2
requests_total refused  0
requests_total unanswered  0
`
	if diff := cmp.Diff(strings.Replace(counted, "SIZE", fmt.Sprint(size), 1), samples(t, r.metrics)); diff != "" {
		t.Error(diff)
	}
}
