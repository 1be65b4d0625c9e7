package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/stream"
)

func TestAcceptedEventsAreInTheLog(t *testing.T) {
	now := time.Date(2026, 11, 21, 9, 0, 0, 123, time.UTC)
	r := newReceiverTest(t, func(s *receiverSetup) { s.now = func() time.Time { return now } })
	items := []string{event("one"), event("two")}
	got := r.post(list(items...), http.StatusOK)
	if got.proto != "HTTP/2.0" {
		t.Errorf("answered over %s", got.proto)
	}
	var want []topic.Event
	for _, item := range items {
		var e audit.Event
		if err := audit.Scan([]byte(item), &e); err != nil {
			t.Fatal(err)
		}
		want = append(want, topic.Event{
			Kind: topic.KindEvent, ID: e.ID("prod"), Cluster: "prod", Sender: "prod", Received: now, Item: []byte(item),
		})
	}
	if diff := cmp.Diff(want, r.log.events(t, topic.KindEvent)); diff != "" {
		t.Error(diff)
	}
	for name, want := range map[string]float64{
		"klaxon_ingest_events_total": 2, "klaxon_ingest_event_age_seconds": 2, "klaxon_ingest_held_bytes": 0,
		"klaxon_ingest_append_duration_seconds": 1, "klaxon_ingest_received_bytes_total": float64(len(list(items...))),
	} {
		if got := metric(t, r.metrics, name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
}

func TestEmptyListIsAccepted(t *testing.T) {
	r := newReceiverTest(t)
	r.post(list(), http.StatusOK)
	if n := r.log.appends; n != 0 {
		t.Errorf("%d appends of nothing", n)
	}
}

func TestRefusedBeforeTheBody(t *testing.T) {
	c := newClock()
	r := newReceiverTest(t, func(s *receiverSetup) { s.now = c.now })
	r.setToken("dev", tokenB)
	c.advance(recheckEvery)
	f := func(name, method, path, authorization, encoding string, code int, sentence string) {
		t.Helper()
		req, err := http.NewRequest(method, r.url+path, strings.NewReader(list(event("x"))))
		r.must(err)
		if authorization != "" {
			req.Header.Set("Authorization", authorization)
		}
		if encoding != "" {
			req.Header.Set("Content-Encoding", encoding)
		}
		res, err := r.client.Do(req)
		r.must(err)
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		r.must(err)
		if res.StatusCode != code || !strings.Contains(string(text), sentence) {
			t.Errorf("%s: got %s %s, want %d with %q", name, res.Status, text, code, sentence)
		}
		if strings.Contains(string(text), tokenA) || strings.Contains(string(text), tokenB) {
			t.Errorf("%s: the answer tells a token", name)
		}
	}
	f("no credential", "POST", "/webhook/prod", "", "", 401, "klaxon sender add")
	f("wrong token", "POST", "/webhook/prod", "Bearer "+tokenC, "", 401, "")
	f("token of basic auth", "POST", "/webhook/prod", "Basic "+tokenA, "", 401, "")
	f("another cluster's path", "POST", "/webhook/dev", "Bearer "+tokenA, "", 403, `send to /webhook/prod`)
	f("a path of no cluster", "POST", "/webhook/%2e%2e", "Bearer "+tokenA, "", 403, "")
	f("compressed", "POST", "/webhook/prod", "Bearer "+tokenA, "gzip", 415, "Content-Encoding")
	f("another method", "PUT", "/webhook/prod", "Bearer "+tokenA, "", 405, "")
	f("another path", "POST", "/elsewhere", "Bearer "+tokenA, "", 404, "")
	if got := r.log.events(t, topic.KindEvent); len(got) != 0 {
		t.Errorf("%d refused events are in the log", len(got))
	}
	if got := metric(t, r.metrics, "klaxon_ingest_received_bytes_total"); got != 0 {
		t.Errorf("%v bytes of refused bodies were read", got)
	}
	if got := metric(t, r.metrics, "klaxon_ingest_refused_total", `reason="credential"`); got != 3 {
		t.Errorf("%v refusals for the credential, want 3", got)
	}
	log := r.logged.String()
	if strings.Count(log, "reason=credential") != 1 || !strings.Contains(log, "address=127.0.0.1") {
		t.Errorf("the log does not say once who was refused:\n%s", log)
	}
	if strings.Contains(log, tokenA) || strings.Contains(log, tokenC) {
		t.Error("the log tells a token")
	}
}

func TestTokenRotation(t *testing.T) {
	c := newClock()
	r := newReceiverTest(t, func(s *receiverSetup) { s.now = c.now })
	send := func(token string, code int) {
		t.Helper()
		got := r.postTo(r.client, "/webhook/prod", token, strings.NewReader(list(event(token))))
		if got.code != code {
			t.Errorf("token %.1s: got %d %s, want %d", token, got.code, got.text, code)
		}
	}
	send(tokenA, 200)
	r.setToken("prod", tokenB+"\n"+tokenA)
	c.advance(recheckEvery)
	send(tokenA, 200)
	send(tokenB, 200)
	r.setToken("prod", tokenB)
	c.advance(recheckEvery)
	send(tokenA, 401)
	send(tokenB, 200)
}

func TestLogUnavailable(t *testing.T) {
	c := newClock()
	r := newReceiverTest(t, func(s *receiverSetup) { s.now = c.now })
	tries := 0
	r.log.refuse(func(context.Context, string, []stream.Record) error {
		tries++
		return fmt.Errorf("no space: %w", stream.ErrUnavailable)
	})
	for range 3 {
		got := r.post(list(event("x")), http.StatusServiceUnavailable)
		if after := got.header.Get("Retry-After"); after != "5" {
			t.Errorf("Retry-After %q, want 5", after)
		}
	}
	if tries != 1 {
		t.Errorf("the log was tried %d times within a second, want 1", tries)
	}
	read := metric(t, r.metrics, "klaxon_ingest_received_bytes_total")
	if want := float64(len(list(event("x")))); read != want {
		t.Errorf("%v bytes were read, want those of the first request alone", read)
	}
	r.log.refuse(nil)
	c.advance(outageTrust)
	r.post(list(event("x")), http.StatusOK)
	if got := metric(t, r.metrics, "klaxon_ingest_refusing_seconds_total"); got != 1 {
		t.Errorf("refusing for %v s, want 1", got)
	}
}

func TestNoPartialAcknowledgement(t *testing.T) {
	// The second of several chunks fails: nothing is acknowledged, and what is
	// sent again is accepted.
	r := newReceiverTest(t)
	var items []string
	for i := range 2*chunkRecords + 1 {
		items = append(items, event(fmt.Sprint(i)))
	}
	n := 0
	r.log.refuse(func(context.Context, string, []stream.Record) error {
		if n++; n == 2 {
			return errors.New("broker: leader not available")
		}
		return nil
	})
	got := r.post(list(items...), http.StatusServiceUnavailable)
	if got.header.Get("Retry-After") != "5" {
		t.Error("no Retry-After")
	}
	if !strings.Contains(r.logged.String(), "leader not available") {
		t.Error("the log does not say why")
	}
	if got := metric(t, r.metrics, "klaxon_ingest_held_bytes"); got != 0 {
		t.Errorf("%v bytes are held after the answer", got)
	}
	r.post(list(items...), http.StatusOK)
	distinct := map[audit.EventID]bool{}
	for _, e := range r.log.events(t, topic.KindEvent) {
		distinct[e.ID] = true
	}
	if len(distinct) != len(items) {
		t.Errorf("%d distinct events, want %d", len(distinct), len(items))
	}
}

func TestLargeBodyRefusedInTheMiddle(t *testing.T) {
	// An API server that is still writing must see the answer, not a reset.
	for _, proto := range []string{"HTTP/2.0", "HTTP/1.1"} {
		r := newReceiverTest(t)
		client := r.client
		if proto == "HTTP/1.1" {
			client = r.http1()
		}
		r.log.refuse(func(context.Context, string, []stream.Record) error { return stream.ErrUnavailable })
		var items []string
		for i := range 40_000 {
			items = append(items, event(fmt.Sprint(i)))
		}
		got := r.postTo(client, "/webhook/prod", tokenA, strings.NewReader(list(items...)))
		if after := got.header.Get("Retry-After"); got.code != http.StatusServiceUnavailable || after != "5" || got.proto != proto {
			t.Errorf("%s: got %s %d, Retry-After %q", proto, got.proto, got.code, after)
		}
	}
}

func TestMalformedItemsDoNotCostTheirNeighbours(t *testing.T) {
	f := func(name, bad, reason string) {
		t.Helper()
		r := newReceiverTest(t)
		r.post(list(event("before"), bad, event("after")), http.StatusOK)
		if got := len(r.log.events(t, topic.KindEvent)); got != 2 {
			t.Errorf("%s: %d events, want the two neighbours", name, got)
		}
		letters, texts := r.log.letters(t)
		if len(letters) != 1 {
			t.Fatalf("%s: %d dead letters, want 1", name, len(letters))
		}
		if texts[0] != bad {
			t.Errorf("%s: the letter holds %.80q, want %.80q", name, texts[0], bad)
		}
		d := letters[0]
		if d.Reason != reason || d.Cluster != "prod" || d.Sender != "prod" || d.Length != int64(len(bad)) {
			t.Errorf("%s: letter %+v", name, d)
		}
		if got := metric(t, r.metrics, "klaxon_ingest_malformed_total", fmt.Sprintf("reason=%q", reason)); got != 1 {
			t.Errorf("%s: counted %v times", name, got)
		}
	}
	f("syntax", `{"level":"Metadata",}`, audit.ReasonSyntax)
	f("a yaml patch that was not encoded", `{"requestObject":a: b,"level":"Request"}`, audit.ReasonSyntax)
	f("a number", `7`, audit.ReasonType)
	f("a wrong type", `{"verb":{"a":1}}`, audit.ReasonType)
	f("another kind", `{"kind":"Pod"}`, audit.ReasonKind)
	f("deep", strings.Repeat(`{"a":`, 10_001)+"1"+strings.Repeat("}", 10_001), audit.ReasonDepth)
}

func TestBodyThatIsNoList(t *testing.T) {
	f := func(name, body string, events int, reason, kept string) {
		t.Helper()
		r := newReceiverTest(t)
		r.post(body, http.StatusOK)
		if got := len(r.log.events(t, topic.KindEvent)); got != events {
			t.Errorf("%s: %d events, want %d", name, got, events)
		}
		letters, texts := r.log.letters(t)
		if len(letters) != 1 {
			t.Fatalf("%s: %d dead letters, want 1", name, len(letters))
		}
		if letters[0].Reason != reason || letters[0].Length != int64(len(kept)) || texts[0] != kept {
			t.Errorf("%s: letter %+v holds %.200q, want %.200q", name, letters[0], texts[0], kept)
		}
	}
	f("empty", "", 0, "body_unclosed", "")
	f("text", "hello, audit", 0, "body_type", "hello, audit")
	f("another kind", `{"kind":"PodList","items":[]}`, 0, "body_kind", `{"kind":"PodList","items":[]}`)
	f("an item that never closes", strings.TrimSuffix(list(event("one"), `{"verb":"get`), "]}\n"), 1, "body_unclosed", `{"verb":"get`)
}

func TestDeadLettersAreBounded(t *testing.T) {
	r := newReceiverTest(t, func(s *receiverSetup) { s.config.Limits.DeadLetterBytes = 1000 })
	bad := "[" + strings.Repeat("x", 100_000)
	r.post(bad, http.StatusOK)
	letters, texts := r.log.letters(t)
	if len(letters) != 1 || len(texts[0]) > 1000 || !strings.HasPrefix(bad, texts[0]) || letters[0].Length != int64(len(bad)) {
		t.Errorf("%d letters, %d bytes of %d kept", len(letters), len(texts[0]), letters[0].Length)
	}
}

func TestEventThatTheLogNeverTakes(t *testing.T) {
	r := newReceiverTest(t)
	large := event(strings.Repeat("x", 10_000))
	r.log.refuse(func(_ context.Context, name string, records []stream.Record) error {
		if name == topic.Events && slices.ContainsFunc(records, func(r stream.Record) bool { return len(r.Value) > 10_000 }) {
			return fmt.Errorf("append: %w", stream.ErrTooLarge)
		}
		return nil
	})
	r.post(list(event("before"), large, event("after")), http.StatusOK)
	if got := len(r.log.events(t, topic.KindEvent)); got != 2 {
		t.Errorf("%d events, want 2", got)
	}
	letters, texts := r.log.letters(t)
	if len(letters) != 1 || letters[0].Reason != "log_size" || texts[0] != large {
		t.Errorf("letters: %+v", letters)
	}
}

func TestSecretsAreRedactedBeforeTheLog(t *testing.T) {
	r := newReceiverTest(t)
	canary := "c2VjcmV0LWNhbmFyeQ=="
	item := strings.Replace(event("s"), `"pods"`, `"secrets"`, 1)
	item = strings.TrimSuffix(item, "}") + `,"responseObject":{"kind":"Secret","apiVersion":"v1","data":{"p":"` + canary + `"}}}`
	r.post(list(item), http.StatusOK)
	r.post(list(strings.TrimSuffix(item, "}")+`,}`), http.StatusOK)
	for name, records := range r.log.records {
		for _, record := range records {
			if bytes.Contains(record.Value, []byte(canary)) {
				t.Errorf("the secret is readable in %s", name)
			}
		}
	}
	events := r.log.events(t, topic.KindEvent)
	if len(events) != 1 {
		t.Fatalf("%d events, want 1", len(events))
	}
	var e audit.Event
	r.must(audit.Scan(events[0].Item, &e))
	if e.ID("prod") != events[0].ID {
		t.Error("the id is not of the event as it was stored")
	}
}

func TestSenderPastItsBound(t *testing.T) {
	r := newReceiverTest(t, func(s *receiverSetup) {
		s.config.Limits.SenderHeldBytes = 1 << 20
	})
	// One item that is larger than what may be held at all.
	body := list(event(strings.Repeat("x", 2<<20)))
	got := r.post(body, http.StatusTooManyRequests)
	if got.header.Get("Retry-After") != "5" {
		t.Error("no Retry-After")
	}
	if got := metric(t, r.metrics, "klaxon_ingest_held_bytes"); got != 0 {
		t.Errorf("%v bytes are held after the answer", got)
	}
	// Many that are larger only together come in, part by part.
	var items []string
	for i := range 40 {
		items = append(items, event(fmt.Sprint(i)+strings.Repeat("x", 100_000)))
	}
	r.post(list(items...), http.StatusOK)
	if got := len(r.log.events(t, topic.KindEvent)); got != len(items) {
		t.Errorf("%d events, want %d", got, len(items))
	}
}

func TestEndlessBody(t *testing.T) {
	r := newReceiverTest(t, func(s *receiverSetup) { s.config.Limits.BodyBytes = 1 << 20 })
	f := func(name, start, more string, code int) {
		t.Helper()
		// The answer comes while the client still sends: now and then the
		// connection breaks before the client has read it.
		var got reply
		err := errors.New("not tried")
		for range 10 {
			body := io.MultiReader(strings.NewReader(start), &endless{more})
			if got, err = r.tryTo(r.client, "/webhook/prod", tokenA, body); err == nil {
				break
			}
		}
		if err != nil || got.code != code {
			t.Errorf("%s: got %d %s, %v, want %d", name, got.code, got.text, err, code)
		}
	}
	f("events without end", `{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[`+event("x"), ","+event("y"), 413)
	f("white space without end", `{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[`, "  \n", 413)
	f("no list without end", `[`, "x", 413)
	if got := metric(t, r.metrics, "klaxon_ingest_held_bytes"); got != 0 {
		t.Errorf("%v bytes are held after the answers", got)
	}
}

type endless struct{ text string }

func (e *endless) Read(p []byte) (int, error) { return copy(p, e.text), nil }

func TestSlowBodyIsEnded(t *testing.T) {
	r := newReceiverTest(t, func(s *receiverSetup) { s.config.Limits.RequestTimeout = 200 * time.Millisecond })
	for _, client := range []*http.Client{r.client, r.http1()} {
		pr, pw := io.Pipe()
		t.Cleanup(func() { pw.Close() })
		go func() { _, _ = io.WriteString(pw, `{"kind":"EventList",`) }() // and never the rest
		done := make(chan int, 1)
		go func() {
			req, err := http.NewRequest(http.MethodPost, r.url+"/webhook/prod", pr)
			if err != nil {
				done <- 0
				return
			}
			req.Header.Set("Authorization", "Bearer "+tokenA)
			res, err := client.Do(req)
			if err != nil {
				done <- -1 // the connection was cut, which ends it too
				return
			}
			res.Body.Close()
			done <- res.StatusCode
		}()
		if code := within(t, "a slow body", done); code/100 == 2 || code == 0 {
			t.Errorf("a body that never came whole was answered %d", code)
		}
	}
	if got := r.log.events(t, topic.KindEvent); len(got) != 0 {
		t.Errorf("%d events", len(got))
	}
}

func TestClientThatLeavesIsNoDeadLetter(t *testing.T) {
	r := newReceiverTest(t)
	ctx, cancel := context.WithCancel(t.Context())
	pr, pw := io.Pipe()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url+"/webhook/prod", pr)
	r.must(err)
	req.Header.Set("Authorization", "Bearer "+tokenA)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if res, err := r.client.Do(req); err == nil {
			res.Body.Close()
		}
	}()
	_, err = io.WriteString(pw, strings.TrimSuffix(list(event("x")), "]}\n"))
	r.must(err)
	cancel()
	pw.Close()
	within(t, "the client", done)
	r.waitFor("the refusal", func() bool { return metric(t, r.metrics, "klaxon_ingest_refused_total") == 1 })
	if letters, _ := r.log.letters(t); len(letters) != 0 {
		t.Errorf("%d dead letters of a body that did not arrive", len(letters))
	}
}

// waitFor polls until ok, within 30 s.
func (r *receiverTest) waitFor(what string, ok func() bool) {
	r.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			r.t.Fatalf("%s: not within 30 s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
