package cli

import (
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/klaxon-dev/klaxon/stream/kafka/kafkatest"
)

// TestKafkaScripts runs testdata/kafka with a broker at $BROKER.
func TestKafkaScripts(t *testing.T) {
	broker := strings.Join(kafkatest.Start(t, 1).Bootstrap(), ",")
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/kafka",
		UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			env.Setenv("BROKER", broker)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"status": status},
	})
}
