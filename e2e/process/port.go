package process

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports below those that systems give to outgoing connections: one of these must
// not take a server's port while the server is away.
const (
	firstPort = 20000
	lastPort  = 32000
	portTries = 100
)

// FreePort returns a loopback port that nobody listens on at the moment, and
// that no outgoing connection takes before a server is started on it, or again.
func FreePort() (string, error) {
	var err error
	for range portTries {
		port := strconv.Itoa(firstPort + rand.IntN(lastPort-firstPort))
		var l net.Listener
		if l, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", port)); err == nil {
			return port, l.Close()
		}
	}
	return "", fmt.Errorf("no free port was found from %d to %d: %w", firstPort, lastPort, err)
}
