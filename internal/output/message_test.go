package output

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestMessage(t *testing.T) {
	f := func(s, want string) {
		t.Helper()
		if got := Message(s); got != want {
			t.Errorf("Message(%q) = %q, want %q", s, got, want)
		}
	}
	f("", "")
	f(`plain C:\path "\x1b" stays`, `plain C:\path "\x1b" stays`)
	f("two\nlines\n\n", "two\nlines\n\n")
	f("ünï 界", "ünï 界")
	f("\x1b]52;c;aGk=\a", `\x1b]52;c;aGk=\a`)
	f("a\r\nb\tc\x00", "a\\r\nb\\tc\\x00")
	f("\u202eevil\u2066\u200b\u009b\xff", `\u202eevil\u2066\u200b\u009b\xff`)
	f("\\\x1b\\", `\\x1b\`)
}

func TestHostileMessages(t *testing.T) {
	for _, s := range hostile {
		checkHarmless(t, Message(s))
		checkHarmless(t, Message("a\n"+s+"\n"+s))
	}
}

// TestHostileLogs holds that no text of a log line acts, in either format, and
// that each line stays one.
func TestHostileLogs(t *testing.T) {
	var b strings.Builder
	for name, logger := range map[string]*slog.Logger{
		"text": slog.New(slog.NewTextHandler(Log{&b}, nil)),
		"json": slog.New(slog.NewJSONHandler(Log{&b}, nil)),
	} {
		for _, s := range hostile {
			b.Reset()
			logger.Warn("refused a request", "user", s, "err", fmt.Errorf("read %q: %w", s, errors.New(s)), slog.Group("g", "a", s))
			checkHarmless(t, b.String())
			if n := strings.Count(b.String(), "\n"); n != 1 {
				t.Errorf("%s: %.40q makes %d lines", name, s, n)
			}
		}
	}
}

// A log that cannot be written says so, and counts nothing as written.
func TestLogFails(t *testing.T) {
	if n, err := (Log{failing{}}).Write([]byte("x\n")); n != 0 || err == nil {
		t.Errorf("got %d, %v", n, err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }
