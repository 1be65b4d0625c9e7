package kafkatest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Name returns a name that nobody else has, made of the test's: for topics,
// groups and prefixes.
func Name(t testing.TB) string {
	plain := func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return '-'
	}
	name := strings.Trim(strings.Map(plain, t.Name()), "-")
	return name[:min(len(name), 40)] + "-" + strings.ToLower(rand.Text()[:8])
}

// Topic makes a topic with a name of its own and so many partitions, on as many
// brokers as there are, and returns its name. Settings are key=value. The topic
// stays.
func (c *Cluster) Topic(t testing.TB, partitions int, settings ...string) string {
	t.Helper()
	name := Name(t)
	c.Make(t, name, partitions, settings...)
	return name
}

// Make makes a topic as Topic does, with a name.
func (c *Cluster) Make(t testing.TB, name string, partitions int, settings ...string) {
	t.Helper()
	topic := kafka.TopicConfig{Topic: name, NumPartitions: partitions, ReplicationFactor: len(c.nodes)}
	for _, setting := range settings {
		key, value, _ := strings.Cut(setting, "=")
		topic.ConfigEntries = append(topic.ConfigEntries, kafka.ConfigEntry{ConfigName: key, ConfigValue: value})
	}
	if err := c.createTopic(topic); err != nil {
		t.Fatalf("create topic %s: %v", topic.Topic, err)
	}
}

// createTopic returns when the topic can be written to. A broker that has just
// started is not there for some requests: they are repeated.
func (c *Cluster) createTopic(topic kafka.TopicConfig) error {
	ctx, cancel := context.WithTimeout(context.Background(), startPatience)
	defer cancel()
	again := time.NewTicker(readyEvery)
	defer again.Stop()
	for {
		err := c.makeTopic(ctx, topic)
		if err == nil || isFinal(err) {
			return err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return err
		}
	}
}

// makeTopic tries it once, with a client that remembers nothing.
func (c *Cluster) makeTopic(ctx context.Context, topic kafka.TopicConfig) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	transport := &kafka.Transport{}
	defer transport.CloseIdleConnections()
	client := &kafka.Client{Addr: kafka.TCP(c.bootstrap...), Transport: transport}
	made, err := client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{topic}})
	if err != nil {
		return err
	}
	if err := made.Errors[topic.Topic]; err != nil && !errors.Is(err, kafka.TopicAlreadyExists) {
		return err
	}
	return hasLeaders(ctx, client, topic)
}

// isFinal reports whether the broker has understood and refused.
func isFinal(err error) bool {
	var answer kafka.Error
	return errors.As(err, &answer) && !answer.Temporary() && answer != kafka.BrokerNotAvailable
}

func hasLeaders(ctx context.Context, client *kafka.Client, topic kafka.TopicConfig) error {
	m, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic.Topic}})
	if err != nil {
		return err
	}
	for _, found := range m.Topics {
		if found.Error != nil {
			return found.Error
		}
		led := 0
		for _, p := range found.Partitions {
			if p.Error == nil {
				led++
			}
		}
		if led == topic.NumPartitions {
			return nil
		}
	}
	return fmt.Errorf("not all %d partitions have a leader", topic.NumPartitions)
}

// DeleteRecords removes the records of a partition before an offset, as its
// retention does.
func (c *Cluster) DeleteRecords(t testing.TB, topic string, partition int, before int64) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.bootstrap...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	request := kmsg.NewPtrDeleteRecordsRequest()
	request.TimeoutMillis = int32(askTimeout.Milliseconds())
	request.Topics = []kmsg.DeleteRecordsRequestTopic{{
		Topic:      topic,
		Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{Partition: int32(partition), Offset: before}},
	}}
	answer, err := request.RequestWith(t.Context(), client)
	if err != nil {
		t.Fatalf("delete records of %s/%d: %v", topic, partition, err)
	}
	if code := answer.Topics[0].Partitions[0].ErrorCode; code != 0 {
		t.Fatalf("delete records of %s/%d: %v", topic, partition, kafka.Error(code))
	}
}

// Damage changes bytes of a record's value where brokers keep it. The value does
// not compress.
func (c *Cluster) Damage(t testing.TB, value []byte) {
	t.Helper()
	segments, err := filepath.Glob(filepath.Join(c.dir, "node*", "data", "*", "*.log"))
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, name := range segments {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // a topic that was deleted meanwhile
		}
		at := bytes.Index(text, value[:64])
		if at < 0 {
			continue
		}
		found = true
		if err := spoil(name, int64(at)+32, ^text[at+32]); err != nil {
			t.Fatal(err)
		}
	}
	if !found {
		t.Fatal("no broker holds the value")
	}
}

// spoil changes a byte of a file that is in use.
func spoil(name string, at int64, b byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt([]byte{b}, at)
	return errors.Join(err, f.Close())
}
