package process

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

const (
	readyTimeout = 2 * time.Minute
	readyEvery   = 100 * time.Millisecond
	answerWithin = 5 * time.Second
)

// UntilReady waits until a URL answers with 200. It fails at once when the
// process ends, and after two minutes at the latest.
func (p *Process) UntilReady(ctx context.Context, client *http.Client, url string) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	again := time.NewTicker(readyEvery)
	defer again.Stop()
	for !answersOK(ctx, client, url) {
		select {
		case <-p.done:
			return p.died()
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w; the end of %s:\n%s", p.name, ctx.Err(), p.log, p.tail())
		case <-again.C:
		}
	}
	return nil
}

func answersOK(ctx context.Context, client *http.Client, url string) bool {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	answer, err := client.Do(req)
	if err != nil {
		return false
	}
	_ = answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}
