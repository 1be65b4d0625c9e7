package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// door is the webhook of an installation as its senders know it. Its methods
// are safe for concurrent use.
type door struct {
	client *http.Client
	token  string
	url    atomic.Pointer[string] // changes as serve is started again

	mu    sync.Mutex
	posts map[*post]struct{} // on their way
	begun chan struct{}      // gets one of a POST that begins, while somebody waits for it
	taken atomic.Int64       // events that were acknowledged
}

// post is one POST on its way: its head was written to a serve that was there.
type post struct {
	done     chan struct{} // closed at its end
	answered bool          // once done: there was an answer
}

func newDoor(t *testing.T, i *installation) *door {
	t.Helper()
	token, err := os.ReadFile(i.sender.TokenFile)
	if err != nil {
		t.Fatal(err)
	}
	d := &door{
		client: i.client(),
		token:  strings.Fields(string(token))[0],
		posts:  map[*post]struct{}{},
		begun:  make(chan struct{}),
	}
	d.opened(i)
	return d
}

// opened tells the senders where serve is now.
func (d *door) opened(i *installation) {
	url := i.webhook()
	d.url.Store(&url)
}

// deliver sends a batch, byte for byte the same, until it is acknowledged.
func (d *door) deliver(ctx context.Context, b batch) error {
	for {
		code, err := d.send(ctx, b.body)
		switch {
		case err == nil && code == http.StatusOK:
			d.taken.Add(int64(b.events))
			return nil
		case err == nil && code != http.StatusServiceUnavailable && code != http.StatusTooManyRequests:
			return fmt.Errorf("a batch of %d events was answered with %d", b.events, code)
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return fmt.Errorf("a batch of %d events could not be delivered: %w", b.events, err)
		}
	}
}

// send makes one POST.
func (d *door) send(ctx context.Context, body []byte) (code int, err error) {
	p := &post{done: make(chan struct{})}
	defer func() {
		p.answered = err == nil
		d.forget(p)
	}()
	trace := &httptrace.ClientTrace{WroteHeaders: func() { d.note(p) }}
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, trace), http.MethodPost, *d.url.Load()+"?timeout=30s", bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+d.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := d.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

func (d *door) note(p *post) {
	d.mu.Lock()
	d.posts[p] = struct{}{}
	d.mu.Unlock()
	select {
	case d.begun <- struct{}{}:
	default:
	}
}

func (d *door) forget(p *post) {
	d.mu.Lock()
	delete(d.posts, p)
	d.mu.Unlock()
	close(p.done)
}

// onTheWay returns the POSTs that serve has and that are not answered.
func (d *door) onTheWay() []*post {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := make([]*post, 0, len(d.posts))
	for p := range d.posts {
		list = append(list, p)
	}
	return list
}

// unanswered waits for the end of the POSTs and counts those without an answer.
func unanswered(list []*post) (n int) {
	for _, p := range list {
		<-p.done
		if !p.answered {
			n++
		}
	}
	return n
}

// senders post the batches of a load to several doors until they are stopped.
type senders struct {
	stopped chan struct{}
	work    sync.WaitGroup
	mu      sync.Mutex
	err     error
}

// startSenders starts a fixed number of senders. Each posts one batch after the
// other, first to the one door, then to the next.
func startSenders(ctx context.Context, l *load, n int, doors ...*door) *senders {
	s := &senders{stopped: make(chan struct{})}
	for range n {
		s.work.Go(func() {
			if err := s.run(ctx, l, doors); err != nil {
				s.mu.Lock()
				s.err = err
				s.mu.Unlock()
			}
		})
	}
	return s
}

func (s *senders) run(ctx context.Context, l *load, doors []*door) error {
	for {
		select {
		case <-s.stopped:
			return nil
		case <-time.After(rand.N(300 * time.Millisecond)):
		}
		b, err := l.next()
		if err != nil {
			return err
		}
		for _, d := range doors {
			if err := d.deliver(ctx, b); err != nil {
				return err
			}
		}
	}
}

// failed returns the first error of a sender so far.
func (s *senders) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// stop waits until every batch that was begun is acknowledged.
func (s *senders) stop() error {
	close(s.stopped)
	s.work.Wait()
	return s.failed()
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
