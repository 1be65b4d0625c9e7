package chdb

import (
	"errors"
	"os/signal"
	"syscall"
	"testing"
)

func TestCheckVersion(t *testing.T) {
	for version, ok := range map[string]bool{
		"26.7.3": true, "26.7.10": true, "26.10.0": true, "27.0.0": true, "26.7.3.1": true,
		"26.7.2": false, "26.5.3": false, "25.9.9": false, "26.7": false, "26": false, "": false, "x.y.z": false, "26.x.9": false,
	} {
		if err := checkVersion(version); (err == nil) != ok || err != nil && !errors.Is(err, ErrVersion) {
			t.Errorf("version %q: %v", version, err)
		}
	}
}

func TestParseError(t *testing.T) {
	f := func(text string, code int, want string) {
		t.Helper()
		if got := parseError(text); got.Code != code || got.Text != want {
			t.Errorf("%q: %d %q, want %d %q", text, got.Code, got.Text, code, want)
		}
	}
	f("Code: 60. DB::Exception: x. (UNKNOWN_TABLE)", 60, "Code: 60. DB::Exception: x. (UNKNOWN_TABLE)")
	f("On start: Code: 36. DB::Exception: y", 36, "Code: 36. DB::Exception: y")
	f("no code", 1001, "Code: 1001. DB::Exception: no code. (STD_EXCEPTION)")
	f("", 1001, "Code: 1001. DB::Exception: . (STD_EXCEPTION)")
	f("Code: 99999999999999999999. x", 1001, "Code: 1001. DB::Exception: Code: 99999999999999999999. x. (STD_EXCEPTION)")
}

func TestKeepSignalsSeesATakenOne(t *testing.T) {
	if err := keepSignals(func() error { return nil }); err != nil {
		t.Errorf("nothing happened: %v", err)
	}
	defer signal.Reset(syscall.SIGUSR2)
	if err := keepSignals(func() error { signal.Ignore(syscall.SIGUSR2); return nil }); !errors.Is(err, ErrSignals) {
		t.Errorf("a handler has gone: %v", err)
	}
	cause := errors.New("cause")
	if err := keepSignals(func() error { return cause }); !errors.Is(err, cause) {
		t.Errorf("error %v", err)
	}
}
