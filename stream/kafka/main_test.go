package kafka

import (
	"testing"

	"github.com/klaxon-dev/klaxon/stream/kafka/kafkatest"
)

// shared is the broker of all tests that need no faults.
var shared kafkatest.Shared

func TestMain(m *testing.M) { shared.Main(m) }
