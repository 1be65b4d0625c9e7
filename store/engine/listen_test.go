package engine

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestAbsoluteListen(t *testing.T) {
	for address, want := range map[string]string{
		"unix:/a/b.sock": "unix:/a/b.sock", "127.0.0.1:8123": "127.0.0.1:8123", "[::1]:0": "[::1]:0",
		"0.0.0.0:8123": "", ":8123": "", "localhost": "", "10.0.0.1:1": "", "": "", "unix:/" + strings.Repeat("x", maxSocketPath): "",
	} {
		got, err := absoluteListen(address)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v, want %q", address, got, err, want)
		}
	}
}

func TestListenReplacesOnlyADeadSocket(t *testing.T) {
	dir, err := os.MkdirTemp("", "klaxon-listen-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "s")
	first, err := listen(unixPrefix + path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := listen(unixPrefix + path); err == nil {
		t.Error("a socket in use was replaced")
	}
	first.(*net.UnixListener).SetUnlinkOnClose(false) // as after a kill
	first.Close()
	second, err := listen(unixPrefix + path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket's mode: %v, %v", info.Mode(), err)
	}
	second.Close()
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listen(unixPrefix + path); err == nil {
		t.Error("a file was replaced by a socket")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listen(unixPrefix + path); err == nil {
		t.Error("a pipe was replaced by a socket")
	}
}
