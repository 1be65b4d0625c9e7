package engine_test

import (
	"testing"

	"github.com/klaxon-dev/klaxon/store/engine/enginetest"
)

func TestMain(m *testing.M) { enginetest.Main(m) }
