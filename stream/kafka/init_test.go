package kafka

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"

	"github.com/klaxon-dev/klaxon/stream/kafka/kafkatest"
)

// layout is that of the tests of Init.
var layout = map[string]int{"events": 3, "matches": 2}

// oneBroker is a configuration with topics of its own on the shared broker.
func oneBroker(t *testing.T) Config {
	return Config{Brokers: shared.Cluster(t).Bootstrap(), Prefix: kafkatest.Name(t), SingleBroker: true}
}

// adminContext ends with the test's patience.
func adminContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// adminOf asks the brokers as Init does.
func adminOf(ctx context.Context, t *testing.T, c Config) *admin {
	t.Helper()
	a, err := newAdmin(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.close)
	return a
}

// actions returns what is done with each topic.
func actions(topics []Topic) map[string]Action {
	all := map[string]Action{}
	for _, t := range topics {
		_, short, _ := strings.Cut(t.Topic, ".")
		all[short] = t.Action
	}
	return all
}

func mustInit(ctx context.Context, t *testing.T, c Config, o InitOptions, want Action) {
	t.Helper()
	topics, err := Init(ctx, c, layout, o)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]Action{"events": want, "matches": want}, actions(topics)); diff != "" {
		t.Error(diff)
	}
}

// sees waits until the broker shows what it was told: it does so a little later.
func sees(ctx context.Context, t *testing.T, a *admin, holds func(map[string]found) bool) {
	t.Helper()
	for {
		now, err := a.look(ctx, layout)
		if err != nil {
			t.Fatal(err)
		}
		if holds(now) {
			return
		}
	}
}

func TestInit(t *testing.T) {
	ctx, c := adminContext(t), oneBroker(t)
	if err := Check(ctx, c, layout); err == nil || !strings.Contains(err.Error(), "there is no topic "+c.Topic("events")) {
		t.Errorf("nothing was made: got %v", err)
	}
	mustInit(ctx, t, c, InitOptions{DryRun: true}, ActionMake)
	if there, err := adminOf(ctx, t, c).look(ctx, layout); err != nil || len(there) > 0 {
		t.Errorf("a dry run made %v, %v", there, err)
	}
	mustInit(ctx, t, c, InitOptions{}, ActionMake)
	mustInit(ctx, t, c, InitOptions{}, ActionKeep)
	if err := Check(ctx, c, layout); err != nil {
		t.Error(err)
	}
}

// TestInitOnThreeBrokers holds that the defaults are what is made, and that a
// topic that somebody else made is left as it is.
func TestInitOnThreeBrokers(t *testing.T) {
	ctx := adminContext(t)
	brokers := kafkatest.Start(t, 3)
	c := Config{Brokers: brokers.Bootstrap()}
	if _, err := Init(ctx, c, map[string]int{"events": 3}, InitOptions{}); err != nil {
		t.Fatal(err)
	}
	topics, err := Init(ctx, c, layout, InitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]Action{"events": ActionKeep, "matches": ActionMake}, actions(topics)); diff != "" {
		t.Error(diff)
	}
	there, err := adminOf(ctx, t, c).look(ctx, layout)
	if err != nil {
		t.Fatal(err)
	}
	settings := map[string]string{
		"cleanup.policy":                 "delete",
		"compression.type":               "producer",
		"max.message.bytes":              fmt.Sprint(9 << 20),
		"message.timestamp.type":         "LogAppendTime",
		"min.insync.replicas":            "2",
		"retention.bytes":                "-1",
		"retention.ms":                   fmt.Sprint((7 * 24 * time.Hour).Milliseconds()),
		"unclean.leader.election.enable": "false",
	}
	want := map[string]found{
		"klaxon.events":  {partitions: 3, replicas: 3, settings: settings},
		"klaxon.matches": {partitions: 2, replicas: 3, settings: settings},
	}
	if diff := cmp.Diff(want, there, cmp.AllowUnexported(found{})); diff != "" {
		t.Error(diff)
	}
}

// TestContradictions changes one setting after the other from outside, and holds
// that it is noticed, and mended where it is asked for.
func TestContradictions(t *testing.T) {
	ctx, c := adminContext(t), oneBroker(t)
	mustInit(ctx, t, c, InitOptions{}, ActionMake)
	a := adminOf(ctx, t, c)
	set := func(name, value string) {
		t.Helper()
		if err := a.alter(ctx, []Topic{{Topic: c.Topic("events"), Action: ActionAlter, Settings: map[string]string{name: value}}}); err != nil {
			t.Fatalf("%s=%s: %v", name, value, err)
		}
		sees(ctx, t, a, func(now map[string]found) bool { return now[c.Topic("events")].settings[name] == value })
	}
	refuses := func(name, value, want string) {
		t.Helper()
		set(name, value)
		sentence := fmt.Sprintf("topic %s: %s is %s, want %s", c.Topic("events"), name, value, want)
		command := fmt.Sprintf("kafka-configs.sh --bootstrap-server %s --alter --entity-type topics --entity-name %s --add-config %s=",
			c.Brokers[0], c.Topic("events"), name)
		check := Check(ctx, c, layout)
		topics, init := Init(ctx, c, layout, InitOptions{})
		for _, err := range []error{check, init} {
			if err == nil || !strings.Contains(err.Error(), sentence) || !strings.Contains(err.Error(), command) {
				t.Errorf("got %v, want %q and %q", err, sentence, command)
			}
		}
		if diff := cmp.Diff(map[string]Action{"events": ActionRefuse, "matches": ActionKeep}, actions(topics)); diff != "" {
			t.Error(diff)
		}
		if _, err := Init(ctx, c, layout, InitOptions{Alter: true, DryRun: true}); err != nil || Check(ctx, c, layout) == nil {
			t.Errorf("%s: the dry run: %v, or it has mended", name, err)
		}
		if _, err := Init(ctx, c, layout, InitOptions{Alter: true}); err != nil {
			t.Errorf("%s: mend: %v", name, err)
		}
	}
	refuses("cleanup.policy", "compact", "delete")
	refuses("cleanup.policy", "compact,delete", "delete")
	refuses("compression.type", "gzip", "producer")
	refuses("max.message.bytes", "1048588", "at least 9437184")
	refuses("message.timestamp.type", "CreateTime", "LogAppendTime")
	refuses("min.insync.replicas", "2", "1")
	refuses("retention.bytes", "1000000", "-1")
	refuses("retention.ms", "3600000", "at least 604800000")
	refuses("unclean.leader.election.enable", "true", "false")

	takes := func(name, value string) {
		t.Helper()
		set(name, value)
		if err := Check(ctx, c, layout); err != nil {
			t.Errorf("%s=%s: %v", name, value, err)
		}
	}
	takes("max.message.bytes", "20000000")
	takes("retention.ms", "-1")
	takes("retention.ms", "31536000000")
}

// TestPartitionsAreFixed holds that partitions that somebody added are noticed,
// and that nothing else is changed then.
func TestPartitionsAreFixed(t *testing.T) {
	ctx, c := adminContext(t), oneBroker(t)
	mustInit(ctx, t, c, InitOptions{}, ActionMake)
	a := adminOf(ctx, t, c)
	answer, err := a.client.CreatePartitions(ctx, &kafka.CreatePartitionsRequest{Topics: []kafka.TopicPartitionsConfig{{Name: c.Topic("matches"), Count: 5}}})
	if err != nil || answer.Errors[c.Topic("matches")] != nil {
		t.Fatal(err, answer)
	}
	sees(ctx, t, a, func(now map[string]found) bool { return now[c.Topic("matches")].partitions == 5 })
	c.Retention = 30 * 24 * time.Hour // to be altered, were it not for the partitions
	topics, err := Init(ctx, c, layout, InitOptions{Alter: true})
	for _, want := range []string{"matches: partitions is 5, want 2", "stream.kafka.prefix"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if diff := cmp.Diff(map[string]Action{"events": ActionAlter, "matches": ActionRefuse}, actions(topics)); diff != "" {
		t.Error(diff)
	}
	if err := Check(ctx, c, layout); err == nil || !strings.Contains(err.Error(), "events: retention.ms is") {
		t.Errorf("got %v: the other topic was altered", err)
	}
}

// TestTooFewBrokers holds that one broker is not taken for three.
func TestTooFewBrokers(t *testing.T) {
	ctx, c := adminContext(t), oneBroker(t)
	three := Config{Brokers: c.Brokers, Prefix: c.Prefix}
	for _, o := range []InitOptions{{DryRun: true}, {}} {
		topics, err := Init(ctx, three, layout, o)
		if err == nil || err.Error() != "stream.kafka.replication is 3, and there are fewer brokers: add brokers, or say --single-broker for development" {
			t.Errorf("got %v", err)
		}
		if diff := cmp.Diff(map[string]Action{"events": ActionRefuse, "matches": ActionRefuse}, actions(topics)); diff != "" {
			t.Error(diff)
		}
	}
	mustInit(ctx, t, c, InitOptions{}, ActionMake)
	_, err := Init(ctx, three, layout, InitOptions{Alter: true})
	for _, want := range []string{"events: replication is 1, want 3", "events: min.insync.replicas is 1, want 2", "kafka-reassign-partitions.sh"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
