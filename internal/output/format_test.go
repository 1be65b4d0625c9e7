package output

import (
	"strings"
	"testing"
)

func TestFormat(t *testing.T) {
	f := FormatTable
	for _, name := range Formats() {
		if err := f.Set(name); err != nil || f.String() != name {
			t.Errorf("%s: got %s, %v", name, f.String(), err)
		}
	}
	err := f.Set("yaml")
	if err == nil || !strings.Contains(err.Error(), "table, json, ndjson") {
		t.Errorf("got %v, want an error that lists the formats", err)
	}
	if f != FormatNDJSON {
		t.Errorf("a wrong format changed the flag to %s", f)
	}
}
