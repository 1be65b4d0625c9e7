package attack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/uuid"
)

const (
	auditID     = "Audit-Id"             // the API server takes a client's word for it
	briefTime   = time.Second            // for one that is brief
	answerTime  = 10 * time.Second       // for one request
	patience    = 30 * time.Second       // for a request that is repeated until it is answered as it should
	retryPause  = 100 * time.Millisecond // between two tries
	answerBytes = 1 << 20                // read of an answer
)

// request is an act: one call, and the answers that are foreseen. Its methods return changed copies.
type request struct {
	by      actor
	method  string
	target  string
	headers http.Header
	body    string
	codes   []int // answers foreseen; none given: any
	primary bool
	patient bool
	brief   bool
	err     error // of a manifest that cannot be read
}

// answers says which status codes are foreseen; without any, all are.
func (r request) answers(codes ...int) request {
	r.codes = codes
	return r
}

// refused foresees 403.
func (r request) refused() request {
	return r.answers(http.StatusForbidden)
}

// header adds a header.
func (r request) header(key, value string) request {
	r.headers = maps.Clone(r.headers)
	if r.headers == nil {
		r.headers = http.Header{}
	}
	r.headers[http.CanonicalHeaderKey(key)] = append(slices.Clone(r.headers.Values(key)), value)
	return r
}

// replace sets a header that the request has already.
func (r request) replace(key, value string) request {
	r.headers = maps.Clone(r.headers)
	delete(r.headers, http.CanonicalHeaderKey(key))
	return r.header(key, value)
}

// as impersonates a user.
func (r request) as(user string, groups ...string) request {
	r = r.header("Impersonate-User", user)
	for _, group := range groups {
		r = r.header("Impersonate-Group", group)
	}
	return r
}

func (r request) raw(media, body string) request {
	r.body = body
	return r.header("Content-Type", media)
}

func (r request) json(body string) request {
	return r.raw("application/json", body)
}

// aside marks a request that goes with the attack but is none.
func (r request) aside() request {
	r.primary = false
	return r
}

// briefly hangs up after a second: an answer may go on for ever.
func (r request) briefly() request {
	r.brief = true
	return r
}

// eventually repeats a request until it is answered as foreseen: permissions take a moment to work.
func (r request) eventually() request {
	r.patient = true
	return r
}

func (r request) do(ctx context.Context) outcome {
	o, _ := r.send(ctx)
	return o
}

// send sends the request, again where it is patient, and returns the last answer's body.
func (r request) send(ctx context.Context) (outcome, []byte) {
	o := outcome{actor: r.by.name, primary: r.primary, err: r.err}
	if r.err != nil {
		return o, nil
	}
	if r.patient {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	for {
		id, body, err := r.once(ctx)
		o.ids = append(o.ids, id)
		o.err = err
		var unforeseen *answerError
		if !r.patient || !errors.As(err, &unforeseen) || sleep(ctx, retryPause) != nil {
			return o, body
		}
	}
}

// answerError is an answer that was not foreseen.
type answerError struct {
	request request
	code    int
	message string
}

func (e *answerError) Error() string {
	return fmt.Sprintf("%s %.200s as %q: answered %d, foreseen %v: %.300s", e.request.method, e.request.target,
		e.request.by.name, e.code, e.request.codes, e.message)
}

func (r request) once(ctx context.Context) (id string, answer []byte, err error) {
	within := answerTime
	if r.brief {
		within = briefTime
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	call, err := r.build(ctx)
	if err != nil {
		return "", nil, err
	}
	id = call.Header.Get(auditID)
	response, err := r.by.http.Do(call)
	if err != nil {
		return id, nil, fmt.Errorf("%s %.200s as %q: %w", r.method, r.target, r.by.name, err)
	}
	defer response.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(response.Body, answerBytes))
	if err != nil && (!r.brief || !errors.Is(err, context.DeadlineExceeded)) {
		return id, nil, fmt.Errorf("read the answer to %s %.200s: %w", r.method, r.target, err)
	}
	if len(r.codes) > 0 && !slices.Contains(r.codes, response.StatusCode) {
		return id, answer, &answerError{r, response.StatusCode, message(answer)}
	}
	return id, answer, nil
}

func (r request) build(ctx context.Context) (*http.Request, error) {
	target, err := url.Parse(r.by.config.Host + r.target)
	if err != nil {
		return nil, fmt.Errorf("target %q: %w", r.target, err)
	}
	call, err := http.NewRequestWithContext(ctx, r.method, target.String(), strings.NewReader(r.body))
	if err != nil {
		return nil, fmt.Errorf("request of %q: %w", r.target, err)
	}
	call.URL = target // as it was written
	call.Header = http.Header{
		"User-Agent": {r.by.agent},
		"Accept":     {"application/json"},
		auditID:      {string(uuid.NewUUID())},
	}
	maps.Copy(call.Header, r.headers)
	return call, nil
}

// message is what a Status says.
func message(answer []byte) string {
	var status struct{ Message string }
	if json.Unmarshal(answer, &status) == nil && status.Message != "" {
		return status.Message
	}
	return string(answer)
}
