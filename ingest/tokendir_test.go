package ingest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAddAndRotateToken(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "senders")
	if _, err := RotateToken(dir, "a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("rotate without a token: got %v, want fs.ErrNotExist", err)
	}
	first, err := AddToken(dir, "a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := AddToken(dir, "a"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("add twice: got %v, want fs.ErrExist", err)
	}
	second, err := RotateToken(dir, "a")
	if err != nil {
		t.Fatal(err)
	}
	third, err := RotateToken(dir, "a")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(TokenPath(dir, "a"))
	if err != nil {
		t.Fatal(err)
	}
	if want := third + "\n" + second + "\n"; string(text) != want || strings.Contains(string(text), first) {
		t.Error("the file does not hold the two newest tokens")
	}
	if _, token, err := LocalToken(dir, ""); err != nil || token != third {
		t.Errorf("the only sender's token: %v", err)
	}
}

func TestTokenNamesAreChecked(t *testing.T) {
	if _, err := AddToken(t.TempDir(), "../x"); err == nil {
		t.Error("a name that leaves the directory is taken")
	}
	if _, err := RotateToken(t.TempDir(), "../x"); err == nil {
		t.Error("a name that leaves the directory is taken")
	}
}

func TestLocalToken(t *testing.T) {
	dir := t.TempDir()
	f := func(cluster, want string) {
		t.Helper()
		_, _, err := LocalToken(dir, cluster)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want it to say %q", cluster, err, want)
		}
	}
	f("", "0 clusters have a credential")
	f("a", "'klaxon sender add a'")
	for _, c := range []string{"a", "b"} {
		if _, err := AddToken(dir, c); err != nil {
			t.Fatal(err)
		}
	}
	f("", "name one by --cluster")
	if name, _, err := LocalToken(dir, "b"); err != nil || name != "b" {
		t.Errorf("got %q, %v", name, err)
	}
}

func TestTokenFiles(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []string{"b", "a"} {
		if _, err := AddToken(dir, c); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := RotateToken(dir, "b"); err != nil {
		t.Fatal(err)
	}
	files, err := TokenFiles(dir)
	if err != nil || len(files) != 2 || files[0].Cluster != "a" || files[1].Tokens != 2 {
		t.Errorf("got %+v, %v", files, err)
	}
}
