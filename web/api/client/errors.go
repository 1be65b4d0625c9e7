package client

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"

	"github.com/klaxon-dev/klaxon/internal/output"
	"github.com/klaxon-dev/klaxon/web/api"
)

// Error is what the server refused, and why.
type Error struct {
	Status int    // HTTP
	Detail string // the server's sentence
}

func (e *Error) Error() string {
	switch {
	case e.Detail == "":
		return fmt.Sprintf("the server answered %d %s", e.Status, http.StatusText(e.Status))
	case e.Status == http.StatusUnauthorized:
		return "the server does not know this token: is the token file of this server, and did its principal change? (" + e.Detail + ")"
	default:
		return e.Detail
	}
}

// readProblem makes an error of an answer that is none of success.
func readProblem(answer *http.Response) error {
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxProblem))
	if err != nil {
		return &Error{Status: answer.StatusCode}
	}
	var p api.Problem
	if err := json.Unmarshal(body, &p); err != nil {
		return &Error{Status: answer.StatusCode} // something else than klaxon answered
	}
	return &Error{Status: answer.StatusCode, Detail: sentence(p.Detail)}
}

// maxSentence bounds what a server may say, in columns.
const maxSentence = 1024

// sentence returns text for a terminal. What klaxon says is rendered already:
// only what another server sends is spelled out.
func sentence(text string) string {
	acts := func(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError }
	if strings.IndexFunc(text, acts) < 0 && utf8.RuneCountInString(text) <= maxSentence {
		return text
	}
	return output.Text(text, maxSentence)
}

// unreachable says what to do about a server that gave no answer.
func unreachable(server *url.URL, err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err // its text repeats the URL with its query
	}
	return fmt.Errorf("ask %s: %w%s", server.Host, err, advice(err))
}

func advice(err error) string {
	var untrusted *tls.CertificateVerificationError
	var lookup *net.DNSError
	var network net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return ": is klaxon serve running there? 'klaxon serve' starts it, --server names another"
	case errors.As(err, &untrusted):
		return ": --ca-file names the certificates that sign the server's"
	case errors.Is(err, http.ErrSchemeMismatch):
		return ": what listens there does not speak TLS: is --server the URL of the API?"
	case errors.As(err, &lookup):
		return ": check the name in --server"
	case errors.As(err, &network) && network.Timeout():
		return ": ask for less time or with more filters, or check that the server can be reached"
	default:
		return ""
	}
}
