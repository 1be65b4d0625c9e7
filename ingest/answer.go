package ingest

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/stream"
)

// Errors of requests, besides those of the log, the budget and the gate.
var (
	errNoCredential = errors.New("no valid bearer token or client certificate of a sender: 'klaxon sender add CLUSTER' makes one")
	errCompressed   = errors.New("the body has a Content-Encoding: send it plain, as API servers do")
	errBodyTooLong  = errors.New("the body is longer than ingest.limits.body_bytes")
)

// wrongClusterError is the error of a request to another cluster's path.
type wrongClusterError struct{ credential audit.ClusterID }

func (e wrongClusterError) Error() string {
	return fmt.Sprintf("the credential is of cluster %q, the path of another: send to /webhook/%[1]s", string(e.credential))
}

// readError is the error of a body that ended before its end: the sender left,
// or was too slow.
type readError struct{ err error }

func (e readError) Error() string { return "read the body: " + e.err.Error() }
func (e readError) Unwrap() error { return e.err }

// answer is what a request is answered with.
type answer struct {
	code   int
	reason string // metric label
	again  bool   // Retry-After
}

// retryAfter makes an API server try for nearly 4 minutes instead of 90 s: it
// repeats each of its five tries every so many seconds for 30 s.
const retryAfter = "5"

// answerTo is the table of errors and answers.
func answerTo(err error) answer {
	var wrong wrongClusterError
	var read readError
	switch {
	case err == nil:
		return answer{code: http.StatusOK}
	case errors.Is(err, errNoCredential):
		return answer{code: http.StatusUnauthorized, reason: "credential"}
	case errors.As(err, &wrong):
		return answer{code: http.StatusForbidden, reason: "cluster"}
	case errors.Is(err, errCompressed):
		return answer{code: http.StatusUnsupportedMediaType, reason: "encoding"}
	case errors.Is(err, errSenderFull):
		return answer{code: http.StatusTooManyRequests, reason: "sender_held_bytes", again: true}
	case errors.Is(err, errFull):
		return answer{code: http.StatusServiceUnavailable, reason: "held_bytes", again: true}
	case errors.Is(err, errBusy):
		return answer{code: http.StatusServiceUnavailable, reason: "busy", again: true}
	case errors.Is(err, errBodyTooLong):
		return answer{code: http.StatusRequestEntityTooLarge, reason: "body_bytes"}
	case errors.As(err, &read):
		return answer{code: http.StatusBadRequest, reason: "read"}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return answer{code: http.StatusServiceUnavailable, reason: "timeout", again: true}
	case errors.Is(err, stream.ErrUnavailable):
		return answer{code: http.StatusServiceUnavailable, reason: "log", again: true}
	default:
		return answer{code: http.StatusServiceUnavailable, reason: "internal", again: true}
	}
}

// write answers with a sentence. What only concerns this side is not told.
func (a answer) write(w http.ResponseWriter, req *http.Request, err error) {
	text := http.StatusText(a.code)
	if a.code < http.StatusInternalServerError {
		text = err.Error()
	}
	if a.again {
		w.Header().Set("Retry-After", retryAfter)
	}
	if a.code == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	if req.ProtoMajor == 1 {
		w.Header().Set("Connection", "close") // or the server would read on in a body that nobody wants
	}
	http.Error(w, text, a.code)
}

// forgetBody lets go of what came of a body that nobody will read. Over HTTP/2 a
// client decides when it takes an answer: until then the server would hold, for
// whoever reaches the port, as much as a connection may send unasked. Over
// HTTP/1 nothing is held, and closing would read on.
func forgetBody(req *http.Request) {
	if req.ProtoMajor >= 2 {
		_ = req.Body.Close() // it cannot fail
	}
}
