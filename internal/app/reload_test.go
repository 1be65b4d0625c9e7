package app

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/klaxon-dev/klaxon/rules"
)

// keeper is a ruleKeeper of one file that runs, and what it handed on.
type keeper struct {
	*ruleKeeper
	t    *testing.T
	file string
	used chan *rules.Set
}

func newKeeper(t *testing.T, text string, every time.Duration) *keeper {
	t.Helper()
	k := &keeper{t: t, file: filepath.Join(t.TempDir(), "mine.yaml"), used: make(chan *rules.Set)}
	k.write(text)
	c := RulesConfig{NoBuiltin: true, Paths: []string{k.file}}
	k.ruleKeeper = newRuleKeeper(c, time.Now, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if result := k.load(); result != reloadOK {
		t.Fatalf("the first load went %s", result)
	}
	ctx, cancel := context.WithCancel(context.Background())
	k.use = func(s *rules.Set) {
		select {
		case k.used <- s:
		case <-ctx.Done():
		}
	}
	done := make(chan struct{})
	go func() { defer close(done); k.run(ctx, every) }()
	t.Cleanup(func() { cancel(); <-done })
	return k
}

// write replaces the file at once: no half of it is read.
func (k *keeper) write(text string) {
	k.t.Helper()
	if err := os.WriteFile(k.file+".new", []byte(text), 0o600); err != nil {
		k.t.Fatal(err)
	}
	if err := os.Rename(k.file+".new", k.file); err != nil {
		k.t.Fatal(err)
	}
}

// next waits for the set that is handed on, and returns its ids.
func (k *keeper) next() string {
	k.t.Helper()
	select {
	case set := <-k.used:
		var ids []string
		for _, r := range set.Rules {
			ids = append(ids, string(r.ID))
		}
		return strings.Join(ids, " ")
	case <-time.After(20 * time.Second):
		k.t.Fatal("no rules were handed on")
		return ""
	}
}

// counted waits until a number of reloads had a result.
func (k *keeper) counted(result string, want float64) {
	k.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		var m dto.Metric
		if err := k.reloads.WithLabelValues(result).Write(&m); err != nil {
			k.t.Fatal(err)
		}
		got := m.GetCounter().GetValue()
		if got == want {
			return
		}
		if time.Now().After(deadline) {
			k.t.Fatalf("%v reloads were %s, want %v", got, result, want)
		}
		time.Sleep(time.Millisecond)
	}
}

func ruleNamed(id string) string {
	return "id: " + id + "\ntitle: t\nseverity: low\nwhen: verb == \"get\"\n"
}

func TestReloadOnAsking(t *testing.T) {
	k := newKeeper(t, ruleNamed("a"), time.Hour)
	k.write(ruleNamed("a") + "---\n" + ruleNamed("b"))
	k.ask()
	if got := k.next(); got != "a b" {
		t.Errorf("rules %q, want a and b", got)
	}
	k.counted(reloadOK, 1)
	k.write("id: a\nwhen: nope\n")
	k.ask()
	if got := k.next(); got != "a b" {
		t.Errorf("rules %q, want those from before the mistake", got)
	}
	k.counted(reloadProblems, 1)
	k.write("# none\n")
	k.ask()
	k.counted(reloadRefused, 1)
}

func TestReloadOnChange(t *testing.T) {
	k := newKeeper(t, ruleNamed("a"), time.Millisecond)
	k.write(ruleNamed("changed"))
	if got := k.next(); got != "changed" {
		t.Errorf("rules %q, want the changed one", got)
	}
	k.counted(reloadOK, 1)
}

// What the stream cannot evaluate is named when the rules are read.
func TestLongRulesAreNamed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mine.yaml")
	text := ruleNamed("short") + "suppress: 6h\nwindow: {at_least: 2, within: 6h}\n---\n" + ruleNamed("long-window") + "window: {at_least: 2, within: 7h}\n---\n" +
		ruleNamed("long-bucket") + "suppress: 7h\n---\n" + ruleNamed("new") + "window: {first_seen: userAgent}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	c := RulesConfig{NoBuiltin: true, Paths: []string{file}}
	k := newRuleKeeper(c, time.Now, slog.New(slog.NewTextHandler(&log, nil)), prometheus.NewRegistry())
	if result := k.load(); result != reloadOK || len(k.set.Rules) != 1 || k.set.Rules[0].ID != "short" {
		t.Fatalf("loading went %s: %d rules", result, len(k.set.Rules))
	}
	for _, id := range []string{"long-window", "long-bucket", "new"} {
		if !strings.Contains(log.String(), "not evaluated by serve: 'klaxon scan' evaluates it\" rule="+id+" file="+file) {
			t.Errorf("%s is not named:\n%s", id, log.String())
		}
	}
	if strings.Contains(log.String(), "rule=short") {
		t.Errorf("a rule that is evaluated is named:\n%s", log.String())
	}
}
