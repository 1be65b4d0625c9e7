package secretfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestEnsureKeepsWhatIsThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "key")
	first, err := Ensure(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(first) != 43 {
		t.Errorf("secret of %d characters, want 43", len(first))
	}
	second, err := Ensure(path)
	if err != nil {
		t.Fatal(err)
	}
	if first != second {
		t.Error("the second call made another secret")
	}
	checkPrivate(t, path)
}

func TestEnsureAtOnceGivesOneSecret(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	var wg sync.WaitGroup
	got := make([]string, 16)
	for i := range got {
		wg.Go(func() {
			var err error
			if got[i], err = Ensure(path); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, s := range got {
		if s != got[0] {
			t.Fatal("two callers got different secrets")
		}
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 {
		t.Errorf("%d files, want only the secret", len(entries))
	}
}

func TestCreateNeverOverwrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	if err := Create(path, []byte("one")); err != nil {
		t.Fatal(err)
	}
	if err := Create(path, []byte("two")); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("got %v, want fs.ErrExist", err)
	}
	if got, _ := Read(path); got != "one" {
		t.Errorf("got %q, want the first contents", got)
	}
}

func TestReplace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	for _, want := range []string{"one", "two"} {
		if err := Replace(path, []byte(want+"\n")); err != nil {
			t.Fatal(err)
		}
		if got, err := Read(path); err != nil || got != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	checkPrivate(t, path)
}

func TestReadRefuses(t *testing.T) {
	f := func(name string, mode fs.FileMode, content, want string) {
		t.Helper()
		path := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := Read(path)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, want)
		}
		if err != nil && content != "" && strings.Contains(err.Error(), content) {
			t.Errorf("%s: the error tells the secret", name)
		}
	}
	f("open to the group", 0o640, "s3cret", "chmod 600")
	f("open to all", 0o604, "s3cret", "chmod 600")
	f("writable by others", 0o602, "s3cret", "chmod 600")
	f("empty", 0o600, "", "is empty")
	f("only space", 0o600, " \n", "is empty")
	f("huge", 0o600, strings.Repeat("x", maxBytes+1), "larger than")
}

func TestReadRefusesWhatIsNoFile(t *testing.T) {
	if _, err := Read(t.TempDir()); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("got %v, want a refusal of a directory", err)
	}
}

// A pipe that nobody writes to is refused, and not waited for.
func TestReadDoesNotWaitForAPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	read := make(chan error, 1)
	go func() {
		_, err := Read(path)
		read <- err
	}()
	select {
	case err := <-read:
		if err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("got %v, want a refusal of a pipe", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("it waits for a writer")
	}
}

func checkPrivate(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600", info.Mode())
	}
}
