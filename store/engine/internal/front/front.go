// Package front serves ClickHouse's HTTP interface over an embedded engine, as
// far as clickhouse-go (Protocol HTTP) needs it: queries, streamed results,
// inserts of a body, parameters, settings, compressed frames, exceptions.
//
// Each request has a connection of its own, so that settings and the current
// database never leak into the next one. A client that goes away stops its
// statement. Statements that would leave the engine (files, other servers, the
// server itself) are refused; so are texts of more than one statement.
package front

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/klaxon-dev/klaxon/store/engine/internal/chdb"
)

// Options are the options of a Front. All are needed.
type Options struct {
	User, Password string
	MaxQueries     int   // statements that run at once; more wait
	MaxWaiting     int   // requests that wait; more are refused
	MaxInsert      int64 // bytes of an insert's data, decompressed
	Logger         *slog.Logger
}

// maxStatement bounds the text of a statement, bytes.
const maxStatement = 1 << 20

// Front is the HTTP handler.
type Front struct {
	engine  *chdb.Engine
	options Options
	version string        // of the engine, as SELECT version() says
	slots   chan struct{} // one element per running statement
	waiting chan struct{} // one element per waiting or running request
	pinging chan struct{} // one element while a ping waits for the engine
}

// New returns the front of an engine. It fails where the engine does not
// answer or does not keep its time in UTC.
func New(engine *chdb.Engine, options Options) (*Front, error) {
	f := &Front{
		engine:  engine,
		options: options,
		slots:   make(chan struct{}, options.MaxQueries),
		waiting: make(chan struct{}, options.MaxQueries+options.MaxWaiting),
		pinging: make(chan struct{}, 1),
	}
	return f, f.greet()
}

// Version returns the engine's version.
func (f *Front) Version() string { return f.version }

func (f *Front) greet() error {
	conn, err := f.engine.Connect()
	if err != nil {
		return err
	}
	defer conn.Close()
	result, err := conn.Query("SELECT version(), timezone()", "TSV", nil)
	if err != nil {
		return fmt.Errorf("ask the engine for its version: %w", err)
	}
	defer result.Release()
	version, zone, _ := strings.Cut(strings.TrimSpace(string(result.Bytes())), "\t")
	if zone != "UTC" {
		return fmt.Errorf("the engine's time zone is %q, want UTC", zone)
	}
	f.version = version
	return nil
}

// ServeHTTP answers POST / and GET /ping.
func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/ping" && r.Method == http.MethodGet:
		f.ping(w, r)
	case r.URL.Path != "/":
		http.Error(w, "there is nothing here: POST /", http.StatusNotFound)
	case !f.authorized(r):
		fail(w, errAuthentication())
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "statements come by POST", http.StatusMethodNotAllowed)
	default:
		f.serve(w, r)
	}
}

func (f *Front) serve(w http.ResponseWriter, r *http.Request) {
	release, err := f.acquire(r.Context())
	if err != nil {
		fail(w, err)
		return
	}
	defer release()
	req, err := f.parse(w, r)
	if err != nil {
		fail(w, err)
		return
	}
	out := newOutput(w, req)
	if req.hello() {
		err = writeHello(out, req.protocol, f.version)
	} else {
		err = f.run(r.Context(), req, out)
	}
	if err != nil {
		out.fail(err)
	}
}

// acquire takes a place among the running statements.
func (f *Front) acquire(ctx context.Context) (release func(), err error) {
	select {
	case f.waiting <- struct{}{}:
	default:
		return nil, chdb.NewError(202, "TOO_MANY_SIMULTANEOUS_QUERIES", "Too many requests are waiting")
	}
	select {
	case f.slots <- struct{}{}:
		return func() { <-f.slots; <-f.waiting }, nil
	case <-ctx.Done():
		<-f.waiting
		return nil, ctx.Err()
	}
}

// run runs one statement on a connection of its own.
func (f *Front) run(ctx context.Context, req *request, out *output) error {
	conn, err := f.engine.Connect()
	if err != nil {
		return err
	}
	defer conn.Close()
	tag := "front-" + rand.Text()
	if err := prepare(conn, req, tag); err != nil {
		return err
	}
	if err := check(conn, req); err != nil {
		return err
	}
	defer f.watch(ctx, tag)()
	return execute(conn, req, out)
}

// killInterval is how often a statement that must stop is told so: it may not
// have started when it was told first.
const killInterval = 50 * time.Millisecond

// watch kills the statement named tag when ctx ends before stop is called.
func (f *Front) watch(ctx context.Context, tag string) (stop func()) {
	done := make(chan struct{})
	var watcher sync.WaitGroup
	watcher.Go(func() {
		select {
		case <-done:
			return
		case <-ctx.Done():
		}
		for {
			if err := f.engine.Kill(tag); err != nil {
				f.options.Logger.Warn("stop a statement whose client has gone", "err", err)
			}
			select {
			case <-done:
				return
			case <-time.After(killInterval):
			}
		}
	})
	return func() {
		close(done)
		watcher.Wait()
	}
}
