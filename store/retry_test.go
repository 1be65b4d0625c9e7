package store

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func newTestRetrier(log *bytes.Buffer) *retrier {
	return &retrier{
		logger:  slog.New(slog.NewTextHandler(log, nil)),
		clock:   time.Now,
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "retries_total"}, []string{"operation"}),
		waits:   func() {},
	}
}

// An outage of an hour ends in success, a few hundred tries later, with a line in
// the log twice a minute.
func TestRetryLasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		end, tries := time.Now().Add(time.Hour), 0
		err := newTestRetrier(&log).do(t.Context(), "insert", never, func(context.Context) error {
			tries++
			if time.Now().Before(end) {
				return &url.Error{Op: "Post", URL: "http://host/?param_p0=alice", Err: errors.New("connection refused")}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		if tries < 360 || tries > 800 {
			t.Errorf("%d tries in an hour", tries)
		}
		if lines := strings.Count(log.String(), "level=WARN"); lines < 60 || lines > 121 {
			t.Errorf("%d warnings in an hour", lines)
		}
		if strings.Contains(log.String(), "alice") || !strings.Contains(log.String(), "connection refused") {
			t.Errorf("the log says %.300s", log.String())
		}
		if !strings.Contains(log.String(), "goes on") {
			t.Error("the end of the outage is not logged")
		}
	})
}

func TestRetryEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		r := newTestRetrier(&log)
		wrong := errors.New("wrong")
		err := r.do(t.Context(), "insert", func(err error) bool { return errors.Is(err, wrong) }, func(context.Context) error { return wrong })
		if !errors.Is(err, wrong) {
			t.Errorf("a final error: got %v, want %v", err, wrong)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err = r.do(ctx, "insert", never, func(context.Context) error { return wrong })
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a context that ended: got %v", err)
		}
	})
}

// A try that hangs is given up and made again.
func TestRetryBoundsATry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		tries := 0
		err := newTestRetrier(&log).do(t.Context(), "insert", never, func(ctx context.Context) error {
			if tries++; tries == 1 {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		})
		if err != nil || tries != 2 {
			t.Errorf("%d tries, %v, want 2", tries, err)
		}
	})
}
