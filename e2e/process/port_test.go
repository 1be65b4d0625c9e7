package process_test

import (
	"net"
	"testing"

	"github.com/klaxon-dev/klaxon/e2e/process"
)

func TestFreePort(t *testing.T) {
	taken := map[string]bool{}
	for range 20 {
		port, err := process.FreePort()
		if err != nil {
			t.Fatal(err)
		}
		if taken[port] {
			t.Fatalf("port %s is taken", port)
		}
		l, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		taken[port] = true
	}
}
