// Package datadir says where one installation keeps what it writes: one
// directory, private to its user.
package datadir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Environment variables that choose the directory.
const (
	EnvDir      = "KLAXON_DATA_DIR"
	envStateDir = "XDG_STATE_HOME"
)

// Dir is the data directory.
type Dir string

// Resolve returns the data directory: flag where it is set, else
// $KLAXON_DATA_DIR, else $XDG_STATE_HOME/klaxon, else ~/.local/state/klaxon. It
// is absolute; it need not exist.
func Resolve(flag string) (Dir, error) { return resolve(flag, os.Getenv, os.UserHomeDir) }

func resolve(flag string, getenv func(string) string, home func() (string, error)) (Dir, error) {
	dir := flag
	if dir == "" {
		dir = getenv(EnvDir)
	}
	// A relative $XDG_STATE_HOME is to be ignored (XDG Base Directory 0.8).
	if state := getenv(envStateDir); dir == "" && filepath.IsAbs(state) {
		dir = filepath.Join(state, "klaxon")
	}
	if dir == "" {
		h, err := home()
		if err != nil {
			return "", errors.New("there is no home directory to keep data in: set --data-dir or $" + EnvDir)
		}
		dir = filepath.Join(h, ".local", "state", "klaxon")
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("data directory %q: %w", dir, err)
	}
	return Dir(abs), nil
}

// Create makes the directory, and what is missing above it, for its user only.
func (d Dir) Create() error {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	return nil
}

func (d Dir) String() string { return string(d) }

// RedactionKey is the file of the key that secret values are hashed with.
func (d Dir) RedactionKey() string { return d.join("redaction.key") }

// AdminToken is the file of the local administrator's token for the API.
func (d Dir) AdminToken() string { return d.join("admin.token") }

// TLS is the directory of the development CA and server certificate.
func (d Dir) TLS() string { return d.join("tls") }

// Senders is the directory of the senders' tokens.
func (d Dir) Senders() string { return d.join("senders") }

// Tail is the directory of the positions that 'klaxon tail' stores.
func (d Dir) Tail() string { return d.join("tail") }

// Log is the directory of the durable log.
func (d Dir) Log() string { return d.join("log") }

// Store is the directory of the embedded engine's data.
func (d Dir) Store() string { return d.join("store") }

// ClientConfig is the file that says how to reach the local serve.
func (d Dir) ClientConfig() string { return d.join("client.yaml") }

func (d Dir) join(name string) string { return filepath.Join(string(d), name) }
