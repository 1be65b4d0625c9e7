package kafka

import (
	"testing"
	"testing/synctest"
	"time"
)

// An outage of an hour is said once a minute.
func TestAlarmsAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, began, said := backoff{}, time.Now(), 0
		for time.Since(began) < time.Hour {
			if b.alarming() {
				said++
			}
			if err := b.wait(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if said < 50 || said > 60 {
			t.Errorf("it was said %d times", said)
		}
	})
}
