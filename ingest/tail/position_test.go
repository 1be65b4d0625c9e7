package tail

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

func itoa(n int) string { return strconv.Itoa(n) }

func TestStateIsOfOneProcess(t *testing.T) {
	path := t.TempDir() + "/position.json"
	first, err := OpenState(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenState(path); err == nil || !strings.Contains(err.Error(), "another klaxon tail has it") {
		t.Errorf("got %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := OpenState(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestPositionIsPrivate(t *testing.T) {
	r := newTailTest(t)
	r.events("a")
	r.wantOnce("a")
	info, err := os.Stat(r.state)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
}

// A position that cannot be meant is refused: the user decides.
func TestPositionIsRefused(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		r := newTailTest(t)
		r.events("a")
		r.wantOnce("a")
		r.must(os.WriteFile(r.state, []byte(strings.ReplaceAll(text, "FILE", r.file)), 0o600))
		if _, err := r.run(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
	f("", "delete it to begin anew")
	f("{", "delete it to begin anew")
	f(strings.Repeat("x", 1<<20), "delete it to begin anew")
	f(`{"version":2,"file":"FILE"}`, "is of version 2")
	f(`{"version":1,"file":"/var/log/other.log"}`, "is of the file /var/log/other.log")
	f(`{"version":1,"file":"FILE","offset":-1}`, "numbers that cannot be")
	f(`{"version":1,"file":"FILE","print":{"bytes":2000000000}}`, "numbers that cannot be")
}
