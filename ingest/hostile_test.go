package ingest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/stream"
)

// dial opens a TLS connection that speaks HTTP/1.1.
func (r *receiverTest) dial() *tls.Conn {
	r.t.Helper()
	config := r.client.Transport.(*http.Transport).TLSClientConfig.Clone()
	config.NextProtos = []string{"http/1.1"}
	conn, err := tls.Dial("tcp", strings.TrimPrefix(r.url, "https://"), config)
	r.must(err)
	r.t.Cleanup(func() { conn.Close() })
	return conn
}

// head is the head of a request of prod that announces a length.
func head(length int) string {
	return fmt.Sprintf("POST /webhook/prod HTTP/1.1\r\nHost: klaxon\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n", tokenA, length)
}

func (r *receiverTest) held() float64 {
	return metric(r.t.(*testing.T), r.metrics, "klaxon_ingest_held_bytes")
}

// An event over the limit is reduced, whichever way it comes, to one event.
func TestOversizedEventIsReduced(t *testing.T) {
	r := newReceiverTest(t)
	item := strings.Replace(event("x"), "kubectl/v1.36.3", strings.Repeat(`\u0026`, 400_000), 1)
	line := `{"kind":"Event","apiVersion":"audit.k8s.io/v1",` + item[1:]
	r.post(list(event("before"), item, event("after")), http.StatusOK)
	r.post(list(line), http.StatusOK)
	events := r.log.events(t, topic.KindEvent)
	if len(events) != 4 || events[1].ID != events[3].ID {
		t.Fatalf("%d events, the large one is %v and %v", len(events), events[1].ID, events[3].ID)
	}
	var e audit.Event
	r.must(audit.Scan(events[1].Item, &e))
	if e.ID("prod") != events[1].ID || len(events[1].Item) > 1<<20 || !e.Reduced().Concerns("userAgent") || e.Verb != "get" {
		t.Errorf("%d bytes, reduced %v: %.300s", len(events[1].Item), e.Reduced(), events[1].Item)
	}
	if got := metric(t, r.metrics, "klaxon_ingest_reduced_total", `by="strings"`); got != 2 {
		t.Errorf("counted %v times, want 2", got)
	}
	if letters, _ := r.log.letters(t); len(letters) != 0 {
		t.Errorf("%d dead letters", len(letters))
	}
}

// The largest event that anybody can provoke, without rights, where answers are
// recorded: 1 MB of what is written as six bytes, six times.
func TestLargestEvent(t *testing.T) {
	r := newReceiverTest(t)
	long := strings.Repeat(`\u0026`, 1<<20)
	status := `"status":"Failure","message":"` + long + `","reason":"Forbidden","details":{"name":"` + long + `"},"code":403`
	item := `{"level":"RequestResponse","auditID":"x","stage":"ResponseComplete","requestURI":"/` + long + `","verb":"get","user":{"username":"system:anonymous"},"objectRef":{"resource":"pods","name":"` + long + `"},` +
		`"responseStatus":{"metadata":{},` + status + `},"responseObject":{"kind":"Status",` + status + `},"requestReceivedTimestamp":"2026-11-21T09:00:00.000000Z","stageTimestamp":"2026-11-21T09:00:00.000000Z"}`
	r.post(list(event("before"), item, event("after")), http.StatusOK)
	if events := r.log.events(t, topic.KindEvent); len(events) != 3 || metric(t, r.metrics, "klaxon_ingest_reduced_total") != 1 {
		t.Errorf("%d of 3 events of %d bytes", len(events), len(item))
	}
}

func TestItemOverTheCap(t *testing.T) {
	r := newReceiverTest(t, func(s *receiverSetup) {
		s.config.Limits.ItemBytes, s.config.Limits.DeadLetterBytes = 2<<20, 1000
	})
	large := event(strings.Repeat("x", 3<<20))
	r.post(list(event("before"), large, event("after")), http.StatusOK)
	if got := len(r.log.events(t, topic.KindEvent)); got != 2 {
		t.Errorf("%d events, want the two neighbours", got)
	}
	letters, texts := r.log.letters(t)
	if len(letters) != 1 || letters[0].Reason != audit.ReasonSize || letters[0].Length != 2<<20 || texts[0] != large[:1000] {
		t.Errorf("letters: %+v", letters)
	}
	if got := r.held(); got != 0 {
		t.Errorf("%v bytes are held after the answer", got)
	}
}

// What is held while the log is slow is what is in memory: the item, and the
// copy of it that redaction made.
func TestHeldIsWhatIsInMemory(t *testing.T) {
	r := newReceiverTest(t)
	secret := strings.Replace(event("s"), `"pods"`, `"secrets"`, 1)
	secret = strings.TrimSuffix(secret, "}") + `,"requestObject":{"kind":"Secret","stringData":{` + strings.Repeat(`"a":"1",`, 5000) + `"b":"2"}}}`
	body := list(secret)
	var held float64
	var made int
	r.log.refuse(func(_ context.Context, _ string, records []stream.Record) error {
		held, made = r.held(), len(records[0].Value)
		return nil
	})
	r.post(body, http.StatusOK)
	if made < 5*len(secret) {
		t.Fatalf("redaction made %d bytes of %d: this test is of no use", made, len(secret))
	}
	if least, most := float64(len(secret)+made), float64(3*len(secret)+made+256<<10); held < least || held > most {
		t.Errorf("%v bytes were held, want %v to %v", held, least, most)
	}
	if got := r.held(); got != 0 {
		t.Errorf("%v bytes are held after the answer", got)
	}
}

func TestAnnouncedLengthIsNotHeld(t *testing.T) {
	r := newReceiverTest(t)
	conn := r.dial()
	_, err := io.WriteString(conn, head(200<<30)+list()[:40])
	r.must(err)
	r.waitFor("the first bytes", func() bool { return metric(t, r.metrics, "klaxon_ingest_received_bytes_total") == 40 })
	if got := r.held(); got < 40 || got > 64<<10 {
		t.Errorf("%v bytes are held, want about what came", got)
	}
	r.post(list(event("x")), http.StatusOK)
}

// Requests of one sender that together are more than its bound never wait for
// one another: each is accepted or told to come again.
func TestRequestsOfOneSenderDoNotDeadlock(t *testing.T) {
	r := newReceiverTest(t, func(s *receiverSetup) {
		s.config.Limits.SenderHeldBytes, s.config.Limits.HeldBytes = 8<<20, 8<<20
	})
	large := list(event(strings.Repeat("x", 3<<20)), event("y"), event(strings.Repeat("z", 3<<20)))
	codes := make(chan int, 16)
	var senders sync.WaitGroup
	for range cap(codes) {
		senders.Go(func() {
			got, err := r.tryTo(r.client, "/webhook/prod", tokenA, strings.NewReader(large))
			if err != nil {
				t.Error(err)
			}
			codes <- got.code
		})
	}
	done := make(chan struct{})
	go func() { senders.Wait(); close(done) }()
	within(t, "all answers", done)
	close(codes)
	count := map[int]int{}
	for code := range codes {
		count[code]++
	}
	if count[200]+count[429] != cap(codes) {
		t.Errorf("answers: %v", count)
	}
	if got := r.held(); got != 0 {
		t.Errorf("%v bytes are held after the answers", got)
	}
	r.post(large, http.StatusOK)
}

// A large event that does not come to its end keeps its sender's others waiting,
// but neither its ordinary ones nor other senders; it ends with its request.
func TestLargeEventsTakeTurns(t *testing.T) {
	c := newClock()
	r := newReceiverTest(t, func(s *receiverSetup) { s.now = c.now })
	r.setToken("dev", tokenB)
	c.advance(recheckEvery)
	large := list(event(strings.Repeat("x", 6<<20)))
	conn := r.dial()
	_, err := io.WriteString(conn, head(len(large))+large[:5<<20])
	r.must(err)
	r.waitFor("the most of a large event", func() bool { return r.held() > largeBytes })
	r.post(list(event("ordinary")), http.StatusOK)
	if got := r.postTo(r.client, "/webhook/dev", tokenB, strings.NewReader(large)); got.code != http.StatusOK {
		t.Errorf("another sender's large event is answered %d", got.code)
	}
	conn.Close()
	r.post(large, http.StatusOK)
	if got := len(r.log.events(t, topic.KindEvent)); got != 3 {
		t.Errorf("%d events, want 3", got)
	}
}

// A body that comes byte by byte ends with its time, however it goes on.
func TestTricklingBodyIsEnded(t *testing.T) {
	r := newReceiverTest(t, func(s *receiverSetup) { s.config.Limits.RequestTimeout = 300 * time.Millisecond })
	conn := r.dial()
	body := list(event("x"))
	_, err := io.WriteString(conn, head(len(body)))
	r.must(err)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		i := 0
		for range time.Tick(10 * time.Millisecond) {
			if _, err := conn.Write([]byte{body[i]}); err != nil {
				return
			}
			i = (i + 1) % (len(body) / 2)
		}
	}()
	within(t, "the connection", ended)
	r.waitFor("the refusal", func() bool { return metric(t, r.metrics, "klaxon_ingest_refused_total") == 1 })
	if letters, _ := r.log.letters(t); len(letters) != 0 || r.held() != 0 {
		t.Errorf("%d dead letters, %v bytes held", len(letters), r.held())
	}
}

// Requests that come without waiting for answers are worked on one at a time
// and all answered.
func TestPipelinedRequests(t *testing.T) {
	r := newReceiverTest(t)
	const requests = 50
	conn := r.dial()
	go func() {
		for i := range requests {
			body := list(event(fmt.Sprint(i)))
			if _, err := io.WriteString(conn, head(len(body))+body); err != nil {
				return // the answers are missed below
			}
		}
	}()
	in := bufio.NewReader(conn)
	for i := range requests {
		r.must(conn.SetReadDeadline(time.Now().Add(30 * time.Second)))
		res, err := http.ReadResponse(in, nil)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("request %d: %v, %v", i, res, err)
		}
		res.Body.Close()
	}
	if got := len(r.log.events(t, topic.KindEvent)); got != requests {
		t.Errorf("%d events, want %d", got, requests)
	}
}

// Streams of one connection that all wait for the log hold one sender's share
// of slots; the others are told to come again.
func TestManyStreamsOfOneConnection(t *testing.T) {
	r := newReceiverTest(t, func(s *receiverSetup) { s.config.Limits.SenderRequests = 2 })
	goOn := make(chan struct{})
	r.log.refuse(func(context.Context, string, []stream.Record) error {
		<-goOn
		return nil
	})
	codes := make(chan int, 10)
	for i := range cap(codes) {
		go func() {
			got, _ := r.tryTo(r.client, "/webhook/prod", tokenA, strings.NewReader(list(event(fmt.Sprint(i)))))
			codes <- got.code
		}()
	}
	// Two are worked on, two wait.
	for i := range cap(codes) - 4 {
		if code := within(t, "an answer", codes); code != http.StatusServiceUnavailable {
			t.Errorf("answer %d is %d", i, code)
		}
	}
	close(goOn)
	for range 4 {
		if code := within(t, "an answer", codes); code != http.StatusOK {
			t.Errorf("a request that waited is answered %d", code)
		}
	}
}

// One address has its share of the connections; they are free again when they
// end.
func TestManyConnections(t *testing.T) {
	r := newReceiverTest(t, func(s *receiverSetup) { s.config.Limits.Connections = 12 })
	address := strings.TrimPrefix(r.url, "https://")
	var open []net.Conn
	for range 3 {
		open = append(open, r.dial())
	}
	for range 5 {
		conn, err := net.Dial("tcp", address)
		r.must(err)
		r.must(conn.SetReadDeadline(time.Now().Add(30 * time.Second)))
		if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Errorf("a connection over the share is served: %d, %v", n, err)
		}
		conn.Close()
	}
	if got := metric(t, r.metrics, "klaxon_ingest_refused_total", `reason="address_connections"`); got != 5 {
		t.Errorf("%v connections are counted as refused, want 5", got)
	}
	if got := strings.Count(r.logged.String(), "reason=address_connections"); got != 1 {
		t.Errorf("logged %d times, want once a minute:\n%s", got, r.logged)
	}
	for _, conn := range open {
		conn.Close()
	}
	r.waitFor("a free connection", func() bool {
		got, err := r.tryTo(r.client, "/webhook/prod", tokenA, strings.NewReader(list(event("x"))))
		return err == nil && got.code == http.StatusOK
	})
}

// Compressed bodies are never decompressed: with a Content-Encoding they are
// refused unread, without one they are no list.
func TestCompressedBody(t *testing.T) {
	r := newReceiverTest(t)
	var bomb bytes.Buffer
	w := gzip.NewWriter(&bomb)
	_, err := io.Copy(w, io.LimitReader(&endless{strings.Repeat(" ", 4096)}, 64<<20))
	r.must(err)
	r.must(w.Close())
	r.post(bomb.String(), http.StatusOK)
	letters, texts := r.log.letters(t)
	if len(letters) != 1 || letters[0].Reason != topic.ReasonBody+audit.ReasonType || texts[0] != bomb.String() {
		t.Errorf("letters: %+v", letters)
	}
	before := metric(t, r.metrics, "klaxon_ingest_received_bytes_total")
	req, err := http.NewRequest(http.MethodPost, r.url+"/webhook/prod", bytes.NewReader(bomb.Bytes()))
	r.must(err)
	req.Header.Set("Authorization", "Bearer "+tokenA)
	req.Header.Set("Content-Encoding", "gzip")
	res, err := r.client.Do(req)
	r.must(err)
	res.Body.Close()
	if read := metric(t, r.metrics, "klaxon_ingest_received_bytes_total") - before; res.StatusCode != http.StatusUnsupportedMediaType || read != 0 {
		t.Errorf("answered %s, %v bytes read", res.Status, read)
	}
}

// Values without number in a small item take no memory without bound.
func TestItemOfManyValues(t *testing.T) {
	r := newReceiverTest(t)
	bomb := strings.Replace(event("x"), `["192.0.2.1"]`, "["+strings.Repeat(`"",`, 1<<20)+`""]`, 1)
	r.post(list(event("before"), bomb, event("after")), http.StatusOK)
	letters, _ := r.log.letters(t)
	if got := len(r.log.events(t, topic.KindEvent)); got != 2 || len(letters) != 1 || letters[0].Reason != audit.ReasonSize {
		t.Errorf("%d events, letters %+v", got, letters)
	}
}

// The time that a sender is refused is counted, for its own bound as well.
func TestRefusingTimeOfAFullSender(t *testing.T) {
	c := newClock()
	r := newReceiverTest(t, func(s *receiverSetup) {
		s.now = c.now
		s.config.Limits.SenderHeldBytes = 1 << 20
	})
	large := list(event(strings.Repeat("x", 2<<20)))
	r.post(large, http.StatusTooManyRequests)
	c.advance(7 * time.Second)
	r.post(large, http.StatusTooManyRequests)
	c.advance(3 * time.Second)
	r.post(list(event("x")), http.StatusOK)
	if got := metric(t, r.metrics, "klaxon_ingest_refusing_seconds_total", `cluster="prod"`); got != 10 {
		t.Errorf("refusing for %v s, want 10", got)
	}
}
