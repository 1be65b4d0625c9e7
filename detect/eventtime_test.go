package detect

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/klaxon-dev/klaxon/audit"
)

func TestEventTime(t *testing.T) {
	f := func(stamp string, received time.Time, want string) {
		t.Helper()
		var e audit.Event
		if err := audit.Scan([]byte(`{"kind":"Event","stageTimestamp":"`+stamp+`"}`), &e); err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(newEventRef(&Input{Received: received, Event: &e}).Time)
		if err != nil {
			t.Fatalf("%s: %v", stamp, err)
		}
		if want = `"` + want + `"`; string(text) != want {
			t.Errorf("%s: %s, want %s", stamp, text, want)
		}
	}
	file := time.Time{}
	f("2026-05-01T11:59:00.000001Z", base, "2026-05-01T11:59:00.000001Z")
	f("2026-05-01T12:01:00.000000Z", base, "2026-05-01T12:01:00Z")
	f("2026-05-01T12:01:00.000001Z", base, "2026-05-01T12:01:00Z")
	f("2026-05-01T12:01:00.000001Z", file, "2026-05-01T12:01:00.000001Z")
	f("9999-12-31T23:59:59.999999Z", base, "2026-05-01T12:01:00Z")
	f("0001-01-01T00:00:00.000001Z", base, "0001-01-01T00:00:00.000001Z")
	// The offset of a zone leads out of the years that JSON knows.
	f("0000-01-01T00:00:00.000000+23:59", base, "0000-01-01T00:00:00Z")
	f("0000-01-01T00:00:00.000000+23:59", file, "0000-01-01T00:00:00Z")
	f("9999-12-31T23:59:59.999999-23:59", base, "2026-05-01T12:01:00Z")
	f("9999-12-31T23:59:59.999999-23:59", file, "9999-12-31T23:59:59.999999Z")
}
