package kafkatest

import (
	"strings"
	"testing"
)

// StartBehind starts as many brokers as there are proxies of the test's own: who
// reaches a broker at one of the addresses that Behind returns learns of the
// proxies alone. Settings are further lines of the brokers' server.properties.
func StartBehind(t testing.TB, proxies []string, settings ...string) *Cluster {
	t.Helper()
	return startFor(t, len(proxies), settings, "KAFKA_ADVERTISED="+strings.Join(proxies, ","))
}

// Behind returns where the proxies reach the brokers, node 1 first.
func (c *Cluster) Behind(t testing.TB) []string {
	t.Helper()
	behind, err := addresses(c.dir, "bootstrap.behind")
	if err != nil {
		t.Fatal(err)
	}
	return behind
}
