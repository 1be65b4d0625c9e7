package engine

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

var (
	// ErrPlatform is the cause of an error on a machine that the library was
	// not built for.
	ErrPlatform = errors.New("the embedded engine runs on linux/amd64 with glibc only; use a ClickHouse server instead (store.kind: clickhouse)")
	// ErrHash is the cause of an error about a file that is not what was
	// published: damaged on the way, or changed.
	ErrHash = errors.New("the file does not have the published hash")
)

// FetchOptions are the options of [Fetch]. The zero value is ready to use.
type FetchOptions struct {
	// Progress is told what happens, a line at a time. Nil: nobody is.
	Progress func(line string)
	// NPM is the npm client to run, by default "npm" on the PATH.
	NPM string
}

func (o FetchOptions) progress(format string, args ...any) {
	if o.Progress != nil {
		o.Progress(fmt.Sprintf(format, args...))
	}
}

// Fetch makes sure that dir (empty: [DefaultDir]) holds the verified library
// and returns its path. It asks the npm client for the package, checks the
// tarball's SHA-512 and the library's SHA-256, and puts the library in place by
// a rename: whoever finds it finds all of it.
//
// A library that was verified before is not fetched again. Concurrent calls,
// also from other processes, wait for one another.
func Fetch(ctx context.Context, dir string, opts FetchOptions) (string, error) {
	if err := checkPlatform(); err != nil {
		return "", err
	}
	return fetch(ctx, published(), dir, opts)
}

func fetch(ctx context.Context, a artefact, dir string, opts FetchOptions) (string, error) {
	path, err := LibraryPath(dir)
	if err != nil {
		return "", err
	}
	if verified(path, a) {
		return path, nil
	}
	dir = filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("engine directory: %w", err)
	}
	lock, err := lockFile(ctx, filepath.Join(dir, ".lock"))
	if err != nil {
		return "", fmt.Errorf("wait for another fetch into %s: %w", dir, err)
	}
	defer lock.Close()
	if verified(path, a) || verify(path, a) == nil {
		return path, nil
	}
	if err := download(ctx, a, path, opts); err != nil {
		return "", fmt.Errorf("fetch the engine: %w", err)
	}
	opts.progress("engine %s is in %s", Version, path)
	return path, nil
}

// download gets the package into a directory beside path and the library from
// there to path. The caller holds the lock.
func download(ctx context.Context, a artefact, path string, opts FetchOptions) error {
	tmp := filepath.Join(filepath.Dir(path), ".fetch")
	if err := os.RemoveAll(tmp); err != nil { // what a killed fetch left
		return err
	}
	if err := os.Mkdir(tmp, 0o700); err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	opts.progress("npm pack %s (178 MB)", a.spec)
	tarball, err := npmPack(ctx, opts.NPM, a.spec, tmp)
	if err != nil {
		return err
	}
	if err := checkIntegrity(tarball, a); err != nil {
		return err
	}
	opts.progress("unpack %s (566 MB)", libraryName)
	unpacked := filepath.Join(tmp, libraryName)
	if err := unpack(tarball, unpacked, a); err != nil {
		return fmt.Errorf("unpack %s: %w", filepath.Base(tarball), err)
	}
	if err := os.Rename(unpacked, path); err != nil {
		return err
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return err
	}
	return mark(path, a)
}

func checkIntegrity(tarball string, a artefact) error {
	f, err := os.Open(tarball)
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha512.New()
	if _, err := io.Copy(sum, f); err != nil {
		return err
	}
	if got := base64.StdEncoding.EncodeToString(sum.Sum(nil)); got != a.integrity {
		return fmt.Errorf("%w: %s has sha512-%s, published is sha512-%s", ErrHash, filepath.Base(tarball), got, a.integrity)
	}
	return nil
}

// unpack writes the library inside the tarball to path, durably, and checks its
// size and hash.
func unpack(tarball, path string, a artefact) error {
	f, err := os.Open(tarball)
	if err != nil {
		return err
	}
	defer f.Close()
	content, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	for entries := tar.NewReader(content); ; {
		entry, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("there is no %s inside", libraryName)
		}
		if err != nil {
			return err
		}
		if entry.Name == "package/"+libraryName {
			return writeVerified(path, entries, a)
		}
	}
}

func writeVerified(path string, from io.Reader, a artefact) error {
	to, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer to.Close()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(to, sum), io.LimitReader(from, a.size+1))
	if err != nil {
		return err
	}
	if err := compare(n, sum.Sum(nil), a); err != nil {
		return err
	}
	if err := to.Sync(); err != nil {
		return err
	}
	return to.Close()
}

func compare(size int64, sum []byte, a artefact) error {
	if size != a.size {
		return fmt.Errorf("%w: %s has %d bytes, published has %d", ErrHash, libraryName, size, a.size)
	}
	if got := hex.EncodeToString(sum); got != a.sha256 {
		return fmt.Errorf("%w: %s has sha256 %s, published is %s", ErrHash, libraryName, got, a.sha256)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
