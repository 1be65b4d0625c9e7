package chaos

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	if IsNode() {
		os.Exit(RunNode())
	}
	os.Exit(m.Run())
}
