package app

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/stream"
	"github.com/klaxon-dev/klaxon/stream/kafka"
)

// installation is processes on one broker, each with rule files of its own.
type installation struct {
	t       *testing.T
	section string // of the configuration: the log
	log     *kafka.Log
	events  int
	found   chan int64 // the counts of findings, as they are announced
}

func install(t *testing.T) *installation {
	t.Helper()
	i := &installation{t: t, section: kafkaSection(t), found: make(chan int64, 100)}
	file := filepath.Join(t.TempDir(), "klaxon.yaml")
	if err := os.WriteFile(file, []byte(i.section), 0o600); err != nil {
		t.Fatal(err)
	}
	config, err := ReadKafka(file)
	if err != nil {
		t.Fatal(err)
	}
	i.log, err = kafka.Open(t.Context(), config, kafka.Options{
		Topics: []string{topic.Events, topic.Findings}, Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
	})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = i.log.Consume(t.Context(), topic.Findings, "test", i.read) // what it reads is waited for
	}()
	t.Cleanup(func() {
		if err := i.log.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
	return i
}

// read hands the counts of what is announced on.
func (i *installation) read(ctx context.Context, claim stream.Claim) error {
	for next := int64(0); ; {
		records, err := claim.Read(ctx, next, 1<<20)
		if err != nil {
			return nil
		}
		for r := range records {
			next = records[r].Offset + 1
			if topic.KindOf(&records[r]) == topic.KindOpen {
				continue
			}
			f, err := topic.DecodeFinding(&records[r])
			if err != nil {
				return err
			}
			i.found <- f.Count
		}
	}
}

// process runs a role with a rule of an id that wants so many requests; stop ends it.
func (i *installation) process(role Role, id string, atLeast int) (rules string, a *App, stop func()) {
	i.t.Helper()
	dir := i.t.TempDir()
	rules = filepath.Join(dir, "rules.yaml")
	i.write(rules, id, atLeast)
	file := filepath.Join(dir, "klaxon.yaml")
	text := fmt.Sprintf("metrics: {listen: '127.0.0.1:0'}\nrules: {no_builtin: true, paths: ['%s']}\n%s", rules, i.section)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		i.t.Fatal(err)
	}
	config, data, err := ReadConfig(file, filepath.Join(dir, "data"), Roles{role})
	if err != nil {
		i.t.Fatal(err)
	}
	a, err = New(i.t.Context(), config, Options{DataDir: data, Logger: slog.New(slog.NewTextHandler(i.t.Output(), nil)), Clock: time.Now})
	if err != nil {
		i.t.Fatal(err)
	}
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		if err := a.Stop(); err != nil {
			i.t.Error(err)
		}
	}
	i.t.Cleanup(stop)
	return rules, a, stop
}

func (i *installation) write(file, id string, atLeast int) {
	i.t.Helper()
	text := fmt.Sprintf("id: %s\ntitle: t\nseverity: low\nwhen: verb == 'get'\nwindow: {at_least: %d, within: 6h, by: [cluster]}\nsuppress: 6h\n", id, atLeast)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		i.t.Fatal(err)
	}
}

// get appends requests, one after the other, up to a number of all.
func (i *installation) get(upTo int) {
	i.t.Helper()
	at := time.Date(2026, 7, 1, 13, 0, 0, 0, time.UTC)
	for ; i.events < upTo; i.events++ {
		e := topic.Event{Kind: topic.KindEvent, Cluster: "prod", Sender: "test", Received: at, Item: fmt.Appendf(nil,
			`{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"%d","stage":"ResponseComplete","verb":"get","requestURI":"/","user":{"username":"jane"},`+
				`"responseStatus":{"code":200},"requestReceivedTimestamp":"2026-07-01T13:00:00.000000Z","stageTimestamp":"2026-07-01T13:00:00.000000Z"}`, i.events)}
		binary.BigEndian.PutUint32(e.ID[:], uint32(i.events))
		if err := i.log.Append(i.t.Context(), topic.Events, []stream.Record{e.Record(1)}); err != nil {
			i.t.Fatal(err)
		}
	}
}

// want waits for a finding with a count.
func (i *installation) want(when string, count int64) {
	i.t.Helper()
	deadline := time.After(5 * time.Minute)
	for {
		select {
		case got := <-i.found:
			if got == count {
				return
			}
			if got > count {
				i.t.Fatalf("%s: a finding counts %d, want %d", when, got, count)
			}
		case <-deadline:
			i.t.Fatalf("%s: no finding counts %d", when, count)
		}
	}
}

// reloads is how often a process has read its rules again.
func reloads(t *testing.T, a *App) float64 {
	t.Helper()
	var m dto.Metric
	if err := a.rules.reloads.WithLabelValues(reloadOK).Write(&m); err != nil {
		t.Fatal(err)
	}
	return m.GetCounter().GetValue()
}

// Processes see a change of rule files one after the other, in any order, and are
// started again with older ones: every request is counted.
func TestRulesReachProcessesApart(t *testing.T) {
	i := install(t)
	_, _, _ = i.process(RoleMatch, "new", 3)
	_, _, stop := i.process(RoleWindow, "old", 2)
	i.get(3)
	i.want("the windows do not have the rule", 3)
	stop()
	rules, window, _ := i.process(RoleWindow, "old", 2)
	i.get(6)
	i.want("they are started again, and still do not", 6)
	reload := func(id string, atLeast int) {
		t.Helper()
		before := reloads(t, window)
		i.write(rules, id, atLeast)
		window.Reload()
		for deadline := time.Now().Add(5 * time.Minute); reloads(t, window) == before; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the rules were not read")
			}
		}
	}
	reload("new", 3)
	i.get(12)
	i.want("they have it", 12)
	reload("new", 2)
	i.get(24)
	i.want("they have a newer one", 24)
	reload("old", 2)
	i.get(48)
	i.want("it is removed from them", 48)
}

// What Prometheus hears of a process on Kafka: how far it is behind, how often its
// group met anew, what waits for the brokers.
func TestMetricsOfTheLog(t *testing.T) {
	i := install(t)
	_, first, _ := i.process(RoleMatch, "x", 2)
	sample := func(name, label string) (value float64, found bool) {
		t.Helper()
		families, err := first.registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, family := range families {
			for _, m := range family.GetMetric() {
				if family.GetName() == name && strings.Contains(fmt.Sprint(m.GetLabel()), label) {
					value, found = value+m.GetGauge().GetValue()+m.GetCounter().GetValue(), true
				}
			}
		}
		return value, found
	}
	until := func(what, name, label string, right func(float64) bool) {
		t.Helper()
		for deadline := time.Now().Add(5 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
			value, found := sample(name, label)
			if found && right(value) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: %s is %v (there: %t)", what, name, value, found)
			}
		}
	}
	met := 0.0
	again := func(v float64) bool { before := met; met = v; return v > before }
	none := func(v float64) bool { return v == 0 }
	until("the group has met", "klaxon_log_rebalances_total", `"match"`, again)
	i.get(5)
	until("five are matched", "klaxon_match_events_total", "", func(v float64) bool { return v == 5 })
	until("nothing is behind", "klaxon_log_lag_records", `"match"`, none)
	until("nothing waits", "klaxon_log_lag_seconds", `"match"`, none)
	until("nothing is in flight", "klaxon_log_in_flight_bytes", "", none)
	_, _, _ = i.process(RoleMatch, "x", 2)
	until("another has come", "klaxon_log_rebalances_total", `"match"`, again)
}
