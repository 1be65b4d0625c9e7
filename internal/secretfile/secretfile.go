// Package secretfile keeps tokens and keys in files that only their owner can
// read. A secret file is never overwritten by accident and never seen half
// written.
package secretfile

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// maxBytes bounds a secret file: what is larger is not a secret.
const maxBytes = 1 << 20

// Random returns a new secret: 32 random bytes as 43 characters of base64url.
func Random() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Ensure returns the secret of the file at path. Where there is no file, it
// makes one of a new random secret; two processes that do so at once end with
// the same secret.
func Ensure(path string) (string, error) {
	secret, err := Read(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return secret, err
	}
	if err := Create(path, []byte(Random()+"\n")); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	return Read(path)
}

// Read returns the contents of a secret file without the white space around
// them. It refuses a file that others may read or that is empty.
func Read(path string) (string, error) {
	text, err := ReadBytes(path)
	if err != nil {
		return "", err
	}
	if text = bytes.TrimSpace(text); len(text) == 0 {
		return "", fmt.Errorf("secret file %s is empty", path)
	}
	return string(text), nil
}

// ReadBytes returns the contents of a secret file as they are. It refuses a
// file that others may read.
func ReadBytes(path string) ([]byte, error) {
	// A pipe would let the opening wait for its writer.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("secret file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("secret file: %w", err)
	}
	if err := checkMode(path, info); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("secret file: %w", err)
	}
	if len(text) > maxBytes {
		return nil, fmt.Errorf("secret file %s is larger than %d bytes", path, maxBytes)
	}
	return text, nil
}

// Create writes a new file that only its owner can read, making its directory
// where it is missing. Its error is fs.ErrExist where there is one already;
// nobody ever sees a part of it.
func Create(path string, content []byte) error {
	return write(path, content, os.Link)
}

// Replace writes the file at path anew, in one step: a reader sees the old
// contents or the new ones.
func Replace(path string, content []byte) error {
	return write(path, content, os.Rename)
}

// write makes a durable private file beside path and has place give it its name.
func write(path string, content []byte, place func(from, to string) error) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("secret file: %w", err)
	}
	tmp, err := writeTemp(dir, content)
	if err != nil {
		return fmt.Errorf("secret file: %w", err)
	}
	defer os.Remove(tmp)
	if err := place(tmp, path); err != nil {
		return fmt.Errorf("secret file: %w", err)
	}
	return syncDir(dir)
}

// writeTemp writes content to a new file of mode 0600 in dir (os.CreateTemp
// opens with O_EXCL) and returns its name.
func writeTemp(dir string, content []byte) (name string, err error) {
	f, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return "", err
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	if _, err := f.Write(content); err != nil {
		return "", err
	}
	return f.Name(), f.Sync()
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("secret file: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("secret file: %w", err)
	}
	return nil
}
