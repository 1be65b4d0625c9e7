package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/klaxon-dev/klaxon/internal/output"
	"github.com/klaxon-dev/klaxon/internal/query"
)

// statusCanceled is what the record says of a request that its asker gave up:
// nobody reads the answer.
const statusCanceled = 499

// Problem is the body of an error (RFC 9457, application/problem+json). Detail
// is a sentence that says what is wrong and what to do.
type Problem = huma.ErrorModel

// errForbidden is the cause of a refusal of what a principal may not do.
var errForbidden = errors.New("forbidden")

// forbiddenError says what a principal may not do.
type forbiddenError struct{ text string }

func (e *forbiddenError) Error() string { return e.text }
func (e *forbiddenError) Unwrap() error { return errForbidden }

func forbidden(format string, args ...any) error {
	return &forbiddenError{fmt.Sprintf(format, args...)}
}

// category says which status a kind of error has, and what is said of it; ""
// stands for the error's own words.
type category struct {
	cause  error
	status int
	detail string
}

func categories() []category {
	return []category{
		{query.ErrBadFilter, http.StatusBadRequest, ""},
		{query.ErrBadCursor, http.StatusBadRequest, ""},
		{errForbidden, http.StatusForbidden, ""},
		{query.ErrNotFound, http.StatusNotFound, ""},
		{query.ErrSealed, http.StatusConflict, ""},
		{query.ErrTooExpensive, http.StatusUnprocessableEntity, query.ErrTooExpensive.Error()},
		{context.DeadlineExceeded, http.StatusGatewayTimeout, query.ErrTooExpensive.Error()},
		{context.Canceled, statusCanceled, "the request was given up"},
	}
}

// maxDetail bounds a problem's sentence, in columns: it may repeat what was
// asked.
const maxDetail = 512

// problemOf returns the problem that err is to the asker. What is of no category
// is the server's own fault, and none of the asker's business.
func problemOf(err error) *Problem {
	for _, c := range categories() {
		if !errors.Is(err, c.cause) {
			continue
		}
		detail := c.detail
		if detail == "" {
			detail = err.Error()
		}
		return newProblem(c.status, detail)
	}
	return newProblem(http.StatusInternalServerError, "the store did not answer: the server's log says why; try again")
}

func newProblem(status int, detail string) *Problem {
	return &Problem{Status: status, Title: http.StatusText(status), Detail: output.Text(detail, maxDetail)}
}

// writeProblem answers a request that does not reach a route.
func writeProblem(w http.ResponseWriter, status int, detail string) {
	body, err := json.Marshal(newProblem(status, detail))
	if err != nil {
		panic(err) // a programmer's error: strings and a number
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // who has gone away needs no answer
}
