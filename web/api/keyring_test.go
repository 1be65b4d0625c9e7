package api

import (
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTokenFilesAreReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("# two while one replaces the other\n" + viewerToken + "\n\n" + analystToken + "\n")
	c := testConfig()
	c.Principals = []Principal{{Name: "vera", Role: RoleViewer, Clusters: []string{"*"}, TokenFile: path}}
	b := newBench(t, c, &fakeStore{})
	f := func(token string, want int) {
		t.Helper()
		if answer, body := b.get(token, "/api/v1/whoami"); answer.StatusCode != want {
			t.Errorf("%s: got %d, want %d: %s", token, answer.StatusCode, want, body)
		}
	}
	f(viewerToken, http.StatusOK)
	f(analystToken, http.StatusOK)
	f(adminToken, http.StatusUnauthorized)

	write(adminToken)
	f(viewerToken, http.StatusOK) // files are looked at once a second
	b.now = b.now.Add(recheckEvery)
	f(viewerToken, http.StatusUnauthorized)
	f(adminToken, http.StatusOK)

	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	b.now = b.now.Add(recheckEvery)
	f(adminToken, http.StatusUnauthorized)
	f(adminToken, http.StatusUnauthorized)
	if n := strings.Count(b.log.String(), "shut out"); n != 1 || strings.Contains(b.log.String(), adminToken) {
		t.Errorf("said %d times, want once and without the token: %s", n, b.log)
	}

	write(viewerToken)
	b.now = b.now.Add(recheckEvery)
	f(viewerToken, http.StatusOK)
}

func TestTokenFilesThatAreRefused(t *testing.T) {
	f := func(name, text string, mode os.FileMode, want string) {
		t.Helper()
		path := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := newKeyring([]Principal{{Name: "vera", TokenFile: path}}, func() time.Time { return testTime }, slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", name, err, want)
		}
		if err != nil && text != "" && strings.Contains(err.Error(), strings.TrimSpace(text)) {
			t.Errorf("%s: the error tells the token: %v", name, err)
		}
	}
	f("open to others", viewerToken, 0o644, "chmod 600")
	f("short", "hunter2hunter2", 0o600, "a token of 14 characters")
	f("empty", "", 0o600, "holds 0 tokens")
	f("comments alone", "# "+viewerToken, 0o600, "holds 0 tokens")
	f("too many", strings.Repeat(viewerToken+"\n", maxTokens+1), 0o600, "holds 65 tokens")
}

func TestNobodyCouldAsk(t *testing.T) {
	c := testConfig()
	c.Principals = nil
	if _, err := New(c, Options{}); err == nil || !strings.Contains(err.Error(), "nobody could ask") {
		t.Errorf("got %v", err)
	}
}
