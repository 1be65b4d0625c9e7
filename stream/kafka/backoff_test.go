package kafka

import (
	"testing"
	"testing/synctest"
	"time"
)

// An outage of an hour is said once, and the next one again.
func TestAlarmsAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 2 {
			b, began, said := backoff{}, time.Now(), 0
			for time.Since(began) < time.Hour {
				if b.alarm() {
					said++
					if d := time.Since(began); d < alarmAfter || d > alarmAfter+2*mostWait {
						t.Errorf("it was said after %v", d)
					}
				}
				if err := b.wait(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if said != 1 {
				t.Errorf("it was said %d times", said)
			}
		}
	})
}
