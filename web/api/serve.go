package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// ServeHTTP answers one request: it bounds it, finds its principal and waits
// for its turn.
func (a *API) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	started := time.Now()
	r := &request{address: host(req.RemoteAddr), rawQuery: req.URL.RawQuery, operation: "none"}
	answer := &answer{ResponseWriter: w}
	defer func() { a.metrics.answered(r.operation, answer.code(), time.Since(started)) }()
	defer a.recovered(answer, r)
	head := w.Header()
	head.Set("Cache-Control", "no-store")
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	a.serve(answer, req, r)
}

func (a *API) serve(w http.ResponseWriter, req *http.Request, r *request) {
	if r.principal = a.authenticate(req); r.principal == nil {
		a.refuse(r.address, "", reasonToken)
		w.Header().Set("WWW-Authenticate", `Bearer realm="klaxon"`)
		writeProblem(w, http.StatusUnauthorized, "give a principal's token in the header, as 'Authorization: Bearer TOKEN'")
		return
	}
	if len(r.rawQuery) > a.limits.QueryBytes {
		a.refuse(r.address, r.principal.Name, reasonQuery)
		writeProblem(w, http.StatusRequestURITooLong, fmt.Sprintf("the query string is longer than %d bytes: ask in parts", a.limits.QueryBytes))
		return
	}
	if !a.enter(req.Context()) {
		a.refuse(r.address, r.principal.Name, reasonBusy)
		w.Header().Set("Retry-After", "5")
		writeProblem(w, http.StatusTooManyRequests, fmt.Sprintf("%d other requests are being worked on: try again in a moment", a.limits.Requests))
		return
	}
	defer func() { <-a.slots }()
	ctx, cancel := context.WithTimeout(withRequest(req.Context(), r), a.limits.RequestTimeout)
	defer cancel()
	a.mux.ServeHTTP(w, req.WithContext(ctx))
}

// authenticate returns who asks, nil if nobody that is known.
func (a *API) authenticate(req *http.Request) *Principal {
	scheme, token, found := strings.Cut(req.Header.Get("Authorization"), " ")
	if !found || !strings.EqualFold(scheme, "Bearer") {
		return nil
	}
	return a.keys.find(strings.TrimSpace(token))
}

// enter waits for a turn; whoever gets one frees its slot.
func (a *API) enter(ctx context.Context) bool {
	select {
	case a.slots <- struct{}{}:
		return true
	default:
	}
	timer := time.NewTimer(a.limits.RequestWait)
	defer timer.Stop()
	select {
	case a.slots <- struct{}{}:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// refuse counts a refusal, and logs it now and then.
func (a *API) refuse(address, principal, reason string) {
	a.metrics.refused.WithLabelValues(reason).Inc()
	a.refusals.log(refusal{address: address, principal: principal, reason: reason})
}

// recovered answers where a handler panicked: one request never takes the
// server with it. An answer that has begun is cut off.
func (a *API) recovered(w *answer, r *request) {
	what := recover()
	if what == nil {
		return
	}
	if err, ok := what.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(what)
	}
	a.options.Logger.Error("a request to the API panicked", "operation", r.operation, "err", fmt.Sprint(what))
	if w.status != 0 {
		panic(http.ErrAbortHandler)
	}
	writeProblem(w, http.StatusInternalServerError, "the request could not be answered: the server's log says why")
}

// answer remembers the status of an answer.
type answer struct {
	http.ResponseWriter
	status int // 0 until the answer begins
}

func (a *answer) code() int {
	if a.status == 0 {
		return http.StatusOK
	}
	return a.status
}

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	return a.ResponseWriter.Write(b)
}

// Unwrap gives http.ResponseController the writer below.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
