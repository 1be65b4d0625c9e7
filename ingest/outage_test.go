package ingest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/klaxon-dev/klaxon/stream"
)

func TestOutage(t *testing.T) {
	c := newClock()
	refusing := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "refusing"}, []string{"cluster"})
	reg := prometheus.NewRegistry()
	reg.MustRegister(refusing)
	o := newOutage(c.now, refusing)
	note := func(err error) { o.note("a", answerTo(err), err) }

	note(nil)
	note(errors.New("something else"))
	if o.known() {
		t.Error("an outage is known without one")
	}
	note(nil)
	down := fmt.Errorf("append: %w", stream.ErrUnavailable)
	note(down)
	if !o.known() {
		t.Error("the outage is not known")
	}
	c.advance(outageTrust / 2)
	note(down) // an answer that came of knowing does not prolong it
	c.advance(outageTrust / 2)
	if o.known() {
		t.Error("the log is not tried again")
	}
	note(down)
	c.advance(4 * time.Second)
	note(errNoCredential) // says nothing
	note(nil)
	c.advance(time.Hour)
	note(nil)
	if got := metric(t, reg, "refusing"); got != 5 {
		t.Errorf("refusing for %v s, want 5", got)
	}
}
