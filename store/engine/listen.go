package engine

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// unixPrefix marks a listen address that is a socket's path.
const unixPrefix = "unix:"

// maxSocketPath is the longest path that the kernel takes for a socket.
const maxSocketPath = 107

// absolute makes paths independent of the current directory.
func absolute(library, path string) (string, string, error) {
	if library == "" || path == "" {
		return "", "", errors.New("the engine needs a library and a path for its data")
	}
	library, err := filepath.Abs(library)
	if err != nil {
		return "", "", fmt.Errorf("engine library: %w", err)
	}
	path, err = filepath.Abs(path)
	if err != nil {
		return "", "", fmt.Errorf("engine data: %w", err)
	}
	return library, path, nil
}

// absoluteListen checks a listen address.
func absoluteListen(address string) (string, error) {
	if path, ok := strings.CutPrefix(address, unixPrefix); ok {
		path, err := filepath.Abs(path)
		if err != nil {
			return "", fmt.Errorf("engine socket: %w", err)
		}
		if len(path) > maxSocketPath {
			return "", fmt.Errorf("engine socket: the path %s is longer than %d bytes: choose a shorter one", path, maxSocketPath)
		}
		return unixPrefix + path, nil
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return "", fmt.Errorf("engine address %q: want unix:/PATH or 127.0.0.1:PORT: %w", address, err)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return "", fmt.Errorf("engine address %q: it is for this machine alone, use a loopback address such as 127.0.0.1:8123", address)
	}
	return address, nil
}

// listen opens the address; a socket is for the owner alone, and one that a
// killed engine left behind is replaced. The caller holds the path's lock.
func listen(address string) (net.Listener, error) {
	path, ok := strings.CutPrefix(address, unixPrefix)
	if !ok {
		l, err := net.Listen("tcp", address)
		if err != nil {
			return nil, fmt.Errorf("engine address: %w", err)
		}
		return l, nil
	}
	if err := removeStale(path); err != nil {
		return nil, fmt.Errorf("engine socket: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("engine socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, fmt.Errorf("engine socket: %w", err)
	}
	return l, nil
}

// removeStale removes a socket on which nobody listens.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != os.ModeSocket {
		return fmt.Errorf("%s is there and no socket", path)
	}
	conn, err := net.Dial("unix", path)
	if err == nil {
		conn.Close()
		return fmt.Errorf("somebody listens on %s", path)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return err
	}
	return os.Remove(path)
}
