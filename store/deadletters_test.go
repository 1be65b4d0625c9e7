package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/internal/query"
	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/stream"
)

// letter returns a dead letter whose sealed bytes are the text.
func letter(sealed string, change ...func(*topic.DeadLetter)) topic.DeadLetter {
	d := topic.DeadLetter{
		Reason: "syntax", Cluster: "prod-1", Sender: "prod-1/a", Received: noon, Length: 100, Offset: 7, Fault: 3,
		Kept: int64(len(sealed)), KeyID: "0123456789abcdef", Sealed: []byte(sealed),
	}
	for _, c := range change {
		c(&d)
	}
	return d
}

// queried returns what a search says of the letter.
func queried(d topic.DeadLetter) query.DeadLetter {
	return query.DeadLetter{
		Schema: query.DeadLetterSchema, ID: query.DeadLetterID(d.ID()), Received: d.Received, Reason: d.Reason, Cluster: d.Cluster, Sender: d.Sender,
		Length: d.Length, Kept: d.Kept, Offset: d.Offset, Fault: d.Fault, KeyID: d.KeyID,
	}
}

func (h *harness) writeLetters(log *fakeLog, letters ...topic.DeadLetter) {
	h.t.Helper()
	for i := range letters {
		log.append(noon, letters[i].Record(1))
	}
	h.consume(log, (*Store).WriteDeadLetters)
}

// allLetters returns every letter that q selects, page by page.
func (h *harness) allLetters(q query.DeadLetters) []query.DeadLetter {
	h.t.Helper()
	var letters []query.DeadLetter
	for {
		page, err := h.store.SearchDeadLetters(h.t.Context(), q)
		if err != nil {
			h.t.Fatal(err)
		}
		letters = append(letters, page.Letters...)
		if q.Cursor = page.Next; q.Cursor == "" {
			return letters
		}
	}
}

func TestDeadLetterIsKeptAsItWas(t *testing.T) {
	h := newHarness(t, engine(t))
	d := letter("\x00\xff sealed\n\x1b", func(d *topic.DeadLetter) { d.Received = noon.Add(123456 * time.Microsecond) })
	h.writeLetters(newFakeLog(), d)
	if diff := cmp.Diff([]query.DeadLetter{queried(d)}, h.allLetters(query.DeadLetters{})); diff != "" {
		t.Error(diff)
	}
	got, err := h.store.DeadLetter(t.Context(), query.DeadLetterID(d.ID()), []audit.ClusterID{"prod-1"})
	if diff := cmp.Diff(query.SealedLetter{DeadLetter: queried(d), Sealed: d.Sealed}, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
	_, err = h.store.DeadLetter(t.Context(), query.DeadLetterID(d.ID()), []audit.ClusterID{"prod-2"})
	if !errors.Is(err, query.ErrNotFound) {
		t.Errorf("another cluster's: got %v, want %v", err, query.ErrNotFound)
	}
	_, err = h.store.DeadLetter(t.Context(), query.DeadLetterID{1}, nil)
	if !errors.Is(err, query.ErrNotFound) {
		t.Errorf("none: got %v, want %v", err, query.ErrNotFound)
	}
}

// A process that died between insert and commit inserts again, and a receiver
// may append twice: one letter is one row to all who ask.
func TestDeadLettersThatComeTwice(t *testing.T) {
	h := newHarness(t, engine(t))
	a, b := letter("a"), letter("b")
	h.writeLetters(newFakeLog(), a, b, a)
	h.writeLetters(newFakeLog(), a, b)
	if got := h.allLetters(query.DeadLetters{Limit: 1}); len(got) != 2 {
		t.Errorf("%d letters, want 2: %v", len(got), got)
	}
	// An answer that is lost: the insert is sent again.
	lost := true
	defer h.hook(func(send func() error) error {
		err := send()
		if lost {
			lost = false
			return errors.New("connection reset")
		}
		return err
	})()
	h.writeLetters(newFakeLog(), letter("c"))
	if got := h.allLetters(query.DeadLetters{}); len(got) != 3 {
		t.Errorf("%d letters, want 3", len(got))
	}
	if n := h.count("repeated", "dead_letters"); n != 1 {
		t.Errorf("%v repeated inserts counted, want 1", n)
	}
}

// What is sent again is another record with the same name: the first is kept.
func TestLettersOfTheSameName(t *testing.T) {
	h := newHarness(t, engine(t))
	named := func(name byte, sealed string, after time.Duration) topic.DeadLetter {
		return letter(sealed, func(d *topic.DeadLetter) { d.Name, d.Received = topic.LetterID{name}, noon.Add(after) })
	}
	h.writeLetters(newFakeLog(), named(1, "a", 0), named(1, "b", time.Second), named(2, "c", time.Second))
	h.writeLetters(newFakeLog(), named(2, "d", time.Hour), named(1, "e", letterHorizon), named(3, "f", letterHorizon))
	got := map[string]bool{}
	for _, d := range h.allLetters(query.DeadLetters{Limit: 1}) {
		one, err := h.store.DeadLetter(t.Context(), d.ID, nil)
		if err != nil {
			t.Fatal(err)
		}
		got[string(one.Sealed)] = true
	}
	if diff := cmp.Diff(map[string]bool{"a": true, "c": true, "f": true}, got); diff != "" {
		t.Error(diff)
	}
	var value dto.Metric
	if err := h.store.metrics.sameLetters.Write(&value); err != nil || value.GetCounter().GetValue() != 3 {
		t.Errorf("%v copies are counted, want 3: %v", value.GetCounter().GetValue(), err)
	}
	h.writeLetters(newFakeLog(), named(1, "g", letterHorizon+time.Second))
	if got := h.allLetters(query.DeadLetters{Since: noon.Add(letterHorizon + time.Second)}); len(got) != 1 {
		t.Errorf("a letter that comes after a day: %v", got)
	}
}

// A consumer that dies at any step leaves every letter once to all who ask.
func TestDeadLettersSurviveCrashes(t *testing.T) {
	h := newHarness(t, engine(t))
	log := newFakeLog()
	for i := range 20 {
		d := letter(fmt.Sprint(i))
		log.append(noon, d.Record(1))
	}
	claim := &fakeClaim{fakeLog: log, onCommit: func(stream.Position, func()) error { return stream.ErrFenced }}
	if err := h.store.WriteDeadLetters(t.Context(), claim); !errors.Is(err, stream.ErrFenced) {
		t.Fatalf("got %v, want %v", err, stream.ErrFenced)
	}
	if got := len(h.allLetters(query.DeadLetters{})); got != 20 {
		t.Errorf("%d letters before the commit, want 20", got)
	}
	h.consume(log, (*Store).WriteDeadLetters)
	if got := len(h.allLetters(query.DeadLetters{Limit: 3})); got != 20 {
		t.Errorf("%d letters after the repetition, want 20", got)
	}
}

func TestSearchDeadLettersFilters(t *testing.T) {
	h := newHarness(t, engine(t))
	at := func(minutes int) func(*topic.DeadLetter) {
		return func(d *topic.DeadLetter) { d.Received = noon.Add(time.Duration(minutes) * time.Minute) }
	}
	letters := []topic.DeadLetter{
		letter("0", at(0), func(d *topic.DeadLetter) { d.Sender = "prod-1/b" }),
		letter("1", at(1), func(d *topic.DeadLetter) { d.Cluster = "prod-2" }),
		letter("2", at(2), func(d *topic.DeadLetter) { d.Reason = "body_unclosed" }),
		letter("3", at(2), func(d *topic.DeadLetter) { d.Reason = "body_kind" }),
	}
	h.writeLetters(newFakeLog(), letters...)
	f := func(name string, q query.DeadLetters, want string) {
		t.Helper()
		var got []string
		for _, d := range h.allLetters(q) {
			for i := range letters {
				if query.DeadLetterID(letters[i].ID()) == d.ID {
					got = append(got, string(letters[i].Sealed))
				}
			}
		}
		q.Limit = 1
		if n := len(h.allLetters(q)); n != len(got) {
			t.Errorf("%s: %d one by one, %d in one page", name, n, len(got))
		}
		if text := strings.Join(sorted(got), ""); text != want {
			t.Errorf("%s: got %q, want %q", name, text, want)
		}
	}
	f("all", query.DeadLetters{}, "0123")
	f("since", query.DeadLetters{Since: noon.Add(time.Minute)}, "123")
	f("until", query.DeadLetters{Until: noon.Add(2 * time.Minute)}, "01")
	f("cluster", query.DeadLetters{Clusters: []string{"prod-1"}}, "023")
	f("allowed", query.DeadLetters{Allowed: []audit.ClusterID{"prod-2"}}, "1")
	f("allowed none", query.DeadLetters{Allowed: []audit.ClusterID{}}, "")
	f("sender", query.DeadLetters{Senders: []string{"prod-1/b", "x"}}, "0")
	f("reason", query.DeadLetters{Reasons: []string{"body_*"}}, "23")
	f("id", query.DeadLetters{IDs: []query.DeadLetterID{query.DeadLetterID(letters[2].ID())}}, "2")
	f("text is data", query.DeadLetters{Reasons: []string{"' OR 1=1 --"}}, "")
	if _, err := h.store.SearchDeadLetters(t.Context(), query.DeadLetters{Cursor: cursor{kind: cursorEvents, time: noon}.String()}); !errors.Is(err, query.ErrBadCursor) {
		t.Errorf("the cursor of another kind: got %v, want %v", err, query.ErrBadCursor)
	}
}

func TestRecordThatIsNoDeadLetterIsSeen(t *testing.T) {
	h := newHarness(t, engine(t))
	log := newFakeLog()
	d := letter("x")
	r := d.Record(1)
	r.Headers = r.Headers[:1] // its version
	log.append(noon, r)
	h.consume(log, (*Store).WriteDeadLetters)
	got := h.allLetters(query.DeadLetters{})
	if len(got) != 1 || got[0].Reason != topic.ReasonRecord || got[0].Length != 1 || !got[0].Received.Equal(noon) {
		t.Errorf("got %+v", got)
	}
}

func TestDeadLetterOfANewerVersionStops(t *testing.T) {
	h := newHarness(t, engine(t))
	log := newFakeLog()
	d := letter("x")
	r := d.Record(1)
	r.Headers[0].Value = []byte("2.0")
	log.append(noon, r)
	if err := h.store.WriteDeadLetters(t.Context(), &fakeClaim{fakeLog: log}); !errors.Is(err, topic.ErrVersion) {
		t.Errorf("got %v, want %v", err, topic.ErrVersion)
	}
}

// A letter that the engine refuses does not become a letter again, for ever.
func TestRefusedDeadLetterIsCounted(t *testing.T) {
	h := newHarness(t, engine(t))
	if err := h.store.writes.Exec(t.Context(), "ALTER TABLE dead_letters ADD CONSTRAINT no_poison CHECK reason != 'poison'"); err != nil {
		t.Fatal(err)
	}
	h.writeLetters(newFakeLog(), letter("a"), letter("b", func(d *topic.DeadLetter) { d.Reason = "poison" }), letter("c"))
	if got := h.allLetters(query.DeadLetters{}); len(got) != 2 {
		t.Errorf("%d letters, want 2", len(got))
	}
	if n := h.count("set_aside", topic.DeadLetters, reasonRefused); n != 1 || len(h.dead.records) != 0 {
		t.Errorf("%v counted, %d dead letters of a dead letter", n, len(h.dead.records))
	}
}

func TestReasonsAreOnTheList(t *testing.T) {
	for _, reason := range []string{reasonRecord, reasonEvent, reasonRefused} {
		if !slices.Contains(topic.LetterReasons(), reason) {
			t.Errorf("reason %q is on no list", reason)
		}
	}
}
