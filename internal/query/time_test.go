package query

import (
	"errors"
	"testing"
	"time"
)

func TestParseTime(t *testing.T) {
	now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.FixedZone("", 2*3600))
	f := func(text, want string) {
		t.Helper()
		got, err := ParseTime("since", text, now)
		if err != nil {
			t.Fatal(err)
		}
		if got.Format(time.RFC3339Nano) != want {
			t.Errorf("%s: got %s, want %s", text, got.Format(time.RFC3339Nano), want)
		}
	}
	f("90m", "2026-07-01T08:30:00Z")
	f("2h", "2026-07-01T08:00:00Z")
	f("7d", "2026-06-24T10:00:00Z")
	f("2026-01-02", "2026-01-02T00:00:00Z")
	f("2026-01-02T15:04:05Z", "2026-01-02T15:04:05Z")
	f("2026-01-02T15:04:05.000001+02:00", "2026-01-02T13:04:05.000001Z")
}

func TestParseTimeRefuses(t *testing.T) {
	for _, text := range []string{"", "2", "h", "-2h", "0s", "0d", "-1d", "1.5d", "7dd", "100001d", "99999999999d", "yesterday", "2026-13-01", "\x1b[2J"} {
		_, err := ParseTime("until", text, time.Now())
		var bad *FilterError
		if !errors.As(err, &bad) || bad.Filter != "until" || bad.Value != text {
			t.Errorf("%q: got %v, want a refusal of this value", text, err)
		}
	}
}
