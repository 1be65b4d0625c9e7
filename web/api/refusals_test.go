package api

import (
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestRefusalsAreLoggedOnceAMinute(t *testing.T) {
	var log strings.Builder
	now := testTime
	r := newRefusals(func() time.Time { return now }, slog.New(slog.NewTextHandler(&log, nil)))
	count := func() int { return strings.Count(log.String(), "\n") }
	for range 100 {
		r.log(refusal{"10.0.0.1", "", reasonToken})
	}
	if count() != 1 {
		t.Errorf("%d lines, want 1", count())
	}
	r.log(refusal{"10.0.0.1", "vera", reasonForbidden})
	now = now.Add(time.Minute)
	r.log(refusal{"10.0.0.1", "", reasonToken})
	if count() != 3 {
		t.Errorf("%d lines, want 3", count())
	}
}
