package chaos

import (
	"path/filepath"
	"testing"
	"time"
)

func TestClock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clock")
	c, err := NewClock(path)
	if err != nil {
		t.Fatal(err)
	}
	if ahead := time.Until(c.Now()); ahead > time.Second {
		t.Errorf("without a file it is %v ahead", ahead)
	}
	if err := MoveClock(path, 2*time.Hour); err != nil {
		t.Fatal(err)
	}
	go c.Run(t.Context())
	for deadline := time.Now().Add(time.Minute); time.Until(c.Now()) < time.Hour; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it was not moved")
		}
	}
}
