package engine

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// registry stands for npm: a script that hands out a tarball and counts how
// often it was asked.
type registry struct {
	npm      string
	calls    string // a file with a line per call
	artefact artefact
}

// newRegistry publishes a library of the given content.
func newRegistry(t *testing.T, library string) registry {
	t.Helper()
	return serveTarball(t, library, tarball(t, "package/"+libraryName, library))
}

// serveTarball hands out packed as the package of the given library.
func serveTarball(t *testing.T, library string, packed []byte) registry {
	t.Helper()
	dir := t.TempDir()
	r := registry{npm: filepath.Join(dir, "npm"), calls: filepath.Join(dir, "calls")}
	source := filepath.Join(dir, "source.tgz")
	script := fmt.Sprintf("#!/bin/sh\necho \"$@\" >>%s\ncp %s \"$4/package-1.tgz\"\n", r.calls, source)
	write(t, source, packed, 0o644)
	write(t, r.npm, []byte(script), 0o755)
	integrity, sum := sha512.Sum512(packed), sha256.Sum256([]byte(library))
	r.artefact = artefact{
		spec:      "library@1",
		integrity: base64.StdEncoding.EncodeToString(integrity[:]),
		size:      int64(len(library)),
		sha256:    hex.EncodeToString(sum[:]),
	}
	return r
}

func tarball(t *testing.T, name, content string) []byte {
	t.Helper()
	var b bytes.Buffer
	packed := gzip.NewWriter(&b)
	entries := tar.NewWriter(packed)
	err := entries.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(content))})
	if err == nil {
		_, err = entries.Write([]byte(content))
	}
	if err := errors.Join(err, entries.Close(), packed.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func write(t *testing.T, path string, content []byte, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, content, mode); err != nil {
		t.Fatal(err)
	}
}

func (r registry) asked(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile(r.calls)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return strings.Count(string(text), "\n")
}

func (r registry) fetch(t *testing.T, dir string) (string, error) {
	t.Helper()
	return fetch(t.Context(), r.artefact, dir, FetchOptions{NPM: r.npm})
}

func (r registry) mustFetch(t *testing.T, dir string) string {
	t.Helper()
	path, err := r.fetch(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFetchOnce(t *testing.T) {
	r, dir := newRegistry(t, "the library"), filepath.Join(t.TempDir(), "new", "dir")
	for range 3 {
		content, err := os.ReadFile(r.mustFetch(t, dir))
		if err != nil || string(content) != "the library" {
			t.Fatalf("%q, %v", content, err)
		}
	}
	if n := r.asked(t); n != 1 {
		t.Errorf("npm was asked %d times", n)
	}
	left, err := filepath.Glob(filepath.Join(dir, ".fetch*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestFetchWithoutMarkerReadsTheFile(t *testing.T) {
	r, dir := newRegistry(t, "the library"), t.TempDir()
	path := r.mustFetch(t, dir)
	if err := os.Remove(markerPath(path)); err != nil {
		t.Fatal(err)
	}
	r.mustFetch(t, dir)
	if n := r.asked(t); n != 1 || !verified(path, r.artefact) {
		t.Errorf("npm was asked %d times, verified is %v", n, verified(path, r.artefact))
	}
}

func TestFetchReplacesADamagedLibrary(t *testing.T) {
	r, dir := newRegistry(t, "the library"), t.TempDir()
	path := r.mustFetch(t, dir)
	write(t, path, []byte("the librarY"), 0o644) // same size
	if err := os.Chtimes(path, time.Time{}, time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	r.mustFetch(t, dir)
	if content, err := os.ReadFile(path); err != nil || string(content) != "the library" || r.asked(t) != 2 {
		t.Errorf("%q, %v, npm was asked %d times", content, err, r.asked(t))
	}
}

func TestFetchClearsWhatADeadFetchLeft(t *testing.T) {
	r, dir := newRegistry(t, "the library"), t.TempDir()
	dead := filepath.Join(dir, ".fetch")
	if err := os.Mkdir(dead, 0o755); err != nil {
		t.Fatal(err)
	}
	r.mustFetch(t, dir)
	if _, err := os.Stat(dead); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("still there: %v", err)
	}
}

func TestConcurrentFetchesShareOneDownload(t *testing.T) {
	r, dir := newRegistry(t, "the library"), t.TempDir()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := r.fetch(t, dir); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := r.asked(t); n != 1 {
		t.Errorf("npm was asked %d times", n)
	}
}

func TestFetchRefusesWhatWasNotPublished(t *testing.T) {
	f := func(name string, r registry) {
		t.Helper()
		dir := t.TempDir()
		_, err := r.fetch(t, dir)
		if !errors.Is(err, ErrHash) {
			t.Errorf("%s: error %v, want ErrHash", name, err)
		}
		if _, err := os.Stat(filepath.Join(dir, libraryName)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the library is there: %v", name, err)
		}
	}
	r := newRegistry(t, "the library")
	r.artefact.integrity = "AAAA"
	f("tarball", r)
	r = newRegistry(t, "the library")
	r.artefact.sha256 = strings.Repeat("0", 64)
	f("library", r)
	r = newRegistry(t, "the library")
	r.artefact.size--
	f("longer library", r)
	r = newRegistry(t, "the library")
	r.artefact.size++
	f("shorter library", r)
}

func TestFetchErrors(t *testing.T) {
	f := func(r registry, want string) {
		t.Helper()
		if _, err := r.fetch(t, t.TempDir()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one about %q", err, want)
		}
	}
	f(registry{npm: "no-such-npm"}, "npm client is not installed")
	failing := filepath.Join(t.TempDir(), "npm")
	write(t, failing, []byte("#!/bin/sh\necho 'npm error code ENOTFOUND' >&2\nexit 1\n"), 0o755)
	f(registry{npm: failing}, "within reach?")
	f(registry{npm: failing}, "npm error code ENOTFOUND")
	idle := filepath.Join(t.TempDir(), "npm")
	write(t, idle, []byte("#!/bin/sh\n"), 0o755)
	f(registry{npm: idle}, "left 0 tarballs")
	f(serveTarball(t, "x", tarball(t, "package/other.so", "x")), "there is no libchdb.so inside")
	f(serveTarball(t, "x", []byte("no gzip")), "unpack")
}

func TestFetchEndsWithItsContext(t *testing.T) {
	slow := filepath.Join(t.TempDir(), "npm")
	write(t, slow, []byte("#!/bin/sh\nexec sleep 600\n"), 0o755)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := fetch(ctx, artefact{spec: "x"}, t.TempDir(), FetchOptions{NPM: slow}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}

func TestFetchSaysWhatItDoes(t *testing.T) {
	r := newRegistry(t, "the library")
	var said []string
	if _, err := fetch(t.Context(), r.artefact, t.TempDir(), FetchOptions{NPM: r.npm, Progress: func(l string) { said = append(said, l) }}); err != nil {
		t.Fatal(err)
	}
	if len(said) != 3 || !strings.HasPrefix(said[0], "npm pack library@1") {
		t.Errorf("it said %q", said)
	}
}
