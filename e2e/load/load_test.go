package load

import (
	"bytes"
	"context"
	"encoding/json"
	"math/rand/v2"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klaxon-dev/klaxon/e2e/kube"
)

func TestEveryActionGoesAsForeseen(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cluster := start(ctx, t)
	l, err := Prepare(ctx, cluster)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Prepare(ctx, cluster); err != nil {
		t.Errorf("prepared again: %v", err)
	}
	for _, a := range l.all {
		for number := range 5 {
			if err := a.do(ctx, number); err != nil {
				t.Errorf("%s, number %d: %v", a.name, number, err)
			}
		}
	}
	before := events(t, cluster.AuditLog)
	stats, err := l.Run(ctx, Options{Rate: 50, Duration: 3 * time.Second})
	if err != nil || stats.Failed > 0 {
		t.Errorf("%d of %d actions failed: %v, %v", stats.Failed, stats.Actions, err, stats.Errors)
	}
	if recorded := events(t, cluster.AuditLog) - before; stats.Actions < 50 || recorded < stats.Actions {
		t.Errorf("%d actions, %d events of them", stats.Actions, recorded)
	}
	t.Logf("%+v", stats)
}

func start(ctx context.Context, t *testing.T) *kube.Cluster {
	t.Helper()
	cluster, err := kube.Start(ctx, kube.Options{Dir: t.TempDir(), Controllers: true, Nodes: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Stop(); err != nil {
			t.Error(err)
		}
	})
	return cluster
}

// events counts those in the log whose users are the load's.
func events(t *testing.T, path string) (n int) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	users := map[string]bool{
		"dana@corp.example": true, "audrey@corp.example": true, "delivery": true,
		"system:serviceaccount:busy:operator": true,
	}
	for line := range bytes.Lines(text) {
		var e struct {
			User struct{ Username string }
		}
		if json.Unmarshal(line, &e) == nil && users[e.User.Username] {
			n++
		}
	}
	return n
}

func TestRateDurationAndBound(t *testing.T) {
	f := func(takes time.Duration, want Stats) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			l := &Load{all: []action{{1, "sleep", func(context.Context, int) error {
				time.Sleep(takes)
				return nil
			}}}}
			got, err := l.Run(t.Context(), Options{Rate: 10, Duration: 10*time.Second + time.Millisecond})
			if err != nil || got != want {
				t.Errorf("actions of %v: %+v, %v; want %+v", takes, got, err, want)
			}
		})
	}
	f(time.Millisecond, Stats{Actions: 100})
	f(time.Minute, Stats{Actions: inFlight, Skipped: 100 - inFlight})
}

func TestFailuresAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &Load{all: []action{{1, "fail", func(context.Context, int) error { return os.ErrInvalid }}}}
		stats, err := l.Run(t.Context(), Options{Rate: 10, Duration: 5*time.Second + time.Millisecond})
		if err != nil || stats.Failed != 50 || stats.Errors == nil {
			t.Errorf("%+v, %v: want 50 failed", stats, err)
		}
	})
	if _, err := (&Load{}).Run(t.Context(), Options{}); err == nil {
		t.Error("no error for a rate of 0")
	}
}

func TestChoiceFollowsTheWeights(t *testing.T) {
	l := &Load{all: []action{{weight: 1, name: "a"}, {weight: 3, name: "b"}}}
	count, r := map[string]int{}, rand.New(rand.NewPCG(1, 1))
	for range 4000 {
		count[l.choose(r).name]++
	}
	if n := count["a"]; n < 900 || n > 1100 {
		t.Errorf("chosen %v, want a quarter a", count)
	}
}
