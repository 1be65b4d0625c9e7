package chaos

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"
)

const (
	// postTimeout is when a sender gives a POST up.
	postTimeout = 8 * time.Second
	// postAgain is about how long it then waits.
	postAgain = 500 * time.Millisecond
)

// Door is one receiver as its senders know it.
type Door struct {
	Name string
	URL  string // without the path

	waiting atomic.Int64
}

// Waiting returns how many POSTs are on their way and not answered.
func (d *Door) Waiting() int64 { return d.waiting.Load() }

// Doors are receivers of one installation: a batch may go to any of them. Their
// methods are safe for concurrent use.
type Doors struct {
	Client *http.Client
	Tokens map[string]string // by cluster
	All    []*Door

	taken, again atomic.Int64
}

// Taken returns how many events were acknowledged, and how often a batch was
// sent again.
func (d *Doors) Taken() (events, again int64) { return d.taken.Load(), d.again.Load() }

// Deliver sends a batch as an API server does: byte for byte the same until it
// is acknowledged, each time to a receiver that is drawn anew.
func (d *Doors) Deliver(ctx context.Context, b *Batch) error {
	for {
		code, err := d.post(ctx, d.All[rand.IntN(len(d.All))], b)
		switch {
		case err == nil && code == http.StatusOK:
			d.taken.Add(int64(len(b.IDs)))
			return nil
		case err == nil && code < http.StatusInternalServerError && code != http.StatusTooManyRequests:
			return fmt.Errorf("a batch of %d events was answered with %d", len(b.IDs), code)
		}
		d.again.Add(1)
		select {
		case <-ctx.Done():
			return fmt.Errorf("a batch of %d events could not be delivered: %w, after %d and %w", len(b.IDs), ctx.Err(), code, err)
		case <-time.After(postAgain/2 + rand.N(postAgain)):
		}
	}
}

// post makes one POST.
func (d *Doors) post(ctx context.Context, to *Door, b *Batch) (code int, err error) {
	ctx, cancel := context.WithTimeout(ctx, postTimeout)
	defer cancel()
	to.waiting.Add(1)
	defer to.waiting.Add(-1)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.URL+"/webhook/"+b.Cluster+"?timeout=30s", bytes.NewReader(b.Body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+d.Tokens[b.Cluster])
	req.Header.Set("Content-Type", "application/json")
	answer, err := d.Client.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = answer.Body.Close() }()
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, err
}
