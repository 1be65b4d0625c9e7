package ingest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Poster sends bodies to a webhook receiver as an API server does. It is safe
// for concurrent use while its fields stay as they are.
type Poster struct {
	URL    string // as WebhookURL returns it
	Token  string // "" where Client has a certificate
	Client *http.Client
}

// StatusError is the answer of a receiver that did not accept a body.
type StatusError struct {
	Code       int
	Status     string
	Text       string        // the beginning of what it said
	RetryAfter time.Duration // 0 where it did not say
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("the receiver refused with %s: %q", e.Status, e.Text)
}

// Again reports whether the same body may be accepted later, without anybody
// changing anything.
func (e *StatusError) Again() bool {
	return e.Code == http.StatusTooManyRequests || e.Code >= http.StatusInternalServerError
}

// Post sends a body once. When it returns nil, the receiver has all of it on
// disk. The error is a *[StatusError] where the receiver answered.
func (p *Poster) Post(ctx context.Context, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.URL+"?timeout=30s", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/json, */*")
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Go-http-client/2.0")
	if p.Token != "" {
		req.Header.Set("Authorization", "Bearer "+p.Token)
	}
	res, err := p.Client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	// A little is read, so that the connection serves on.
	text, _ := io.ReadAll(io.LimitReader(res.Body, 512))
	if res.StatusCode/100 == 2 {
		return nil
	}
	return &StatusError{
		Code: res.StatusCode, Status: res.Status, Text: strings.TrimSpace(string(text)), RetryAfter: retryAfterOf(res),
	}
}

// maxRetryAfter bounds what an answer asks for, in seconds.
const maxRetryAfter = 3600

func retryAfterOf(res *http.Response) time.Duration {
	seconds, err := strconv.Atoi(res.Header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(min(seconds, maxRetryAfter)) * time.Second
}
