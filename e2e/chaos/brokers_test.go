package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/stream/kafka/kafkatest"
)

// brokers are three brokers of Kafka and the proxies that klaxon reaches them by.
type brokers struct {
	*kafkatest.Cluster
	proxies []*Proxy
	client  *kafka.Client // past the proxies
}

func startBrokers(t *testing.T) *brokers {
	t.Helper()
	b := &brokers{}
	for range 3 {
		p, err := NewProxy()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = p.Close() })
		b.proxies = append(b.proxies, p)
	}
	b.Cluster = kafkatest.StartBehind(t, b.addresses())
	for i, to := range b.Behind(t) {
		b.proxies[i].Forward(to)
	}
	transport := &kafka.Transport{MetadataTTL: time.Second, DialTimeout: time.Second}
	t.Cleanup(transport.CloseIdleConnections)
	b.client = &kafka.Client{Addr: kafka.TCP(b.Bootstrap()...), Transport: transport, Timeout: 2 * time.Second}
	return b
}

// addresses returns where klaxon reaches the brokers.
func (b *brokers) addresses() []string {
	var all []string
	for _, p := range b.proxies {
		all = append(all, p.Addr())
	}
	return all
}

// reading is a group and the topic that it reads.
type reading struct{ topic, group string }

// The groups of the pipeline.
var (
	matching    = reading{topic.Events, "match"}
	windowing   = reading{topic.Matches, "window"}
	storeEvents = reading{topic.Events, "store"}
	storeFound  = reading{topic.Findings, "store"}
	storeDead   = reading{topic.DeadLetters, "store"}
)

// standing is where a group stands.
type standing struct {
	committed, ends map[int]int64 // by partition
	announced       int           // ranges that are being stored
}

// behind returns how many records the group has not committed.
func (s standing) behind() (n int64) {
	for p, end := range s.ends {
		n += max(0, end-s.committed[p])
	}
	return n
}

// standing asks Kafka where a group stands.
func (b *brokers) standing(ctx context.Context, r reading) (standing, error) {
	s := standing{committed: map[int]int64{}}
	var err error
	if s.ends, err = b.ends(ctx, r.topic); err != nil {
		return s, err
	}
	name := "klaxon." + r.topic
	var partitions []int
	for p := range s.ends {
		partitions = append(partitions, p)
	}
	answer, err := b.client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: name + "." + r.group, Topics: map[string][]int{name: partitions}})
	if err == nil {
		err = answer.Error
	}
	if err != nil {
		return s, err
	}
	for _, p := range answer.Topics[name] {
		if p.Error != nil {
			return s, p.Error
		}
		s.committed[p.Partition] = max(0, p.CommittedOffset)
		var note struct {
			Until int64 `json:"until"`
		}
		_, metadata, _ := strings.Cut(p.Metadata, "\n")
		if json.Unmarshal([]byte(metadata), &note) == nil && note.Until > p.CommittedOffset {
			s.announced++
		}
	}
	return s, nil
}

// ends returns the ends of a topic's partitions.
func (b *brokers) ends(ctx context.Context, name string) (map[int]int64, error) {
	name = "klaxon." + name
	about, err := b.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{name}})
	if err != nil {
		return nil, err
	}
	var questions []kafka.OffsetRequest
	for _, t := range about.Topics {
		for _, p := range t.Partitions {
			questions = append(questions, kafka.LastOffsetOf(p.ID))
		}
	}
	if len(questions) == 0 {
		return nil, fmt.Errorf("topic %s has no partitions now", name)
	}
	answer, err := b.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{name: questions}})
	if err != nil {
		return nil, err
	}
	ends := map[int]int64{}
	for _, p := range answer.Topics[name] {
		if p.Error != nil {
			return nil, p.Error
		}
		ends[p.Partition] = p.LastOffset
	}
	return ends, nil
}

// reached waits until groups have committed all that their topics hold now.
func (b *brokers) reached(ctx context.Context, all ...reading) error {
	for _, r := range all {
		var ends map[int]int64
		err := again(ctx, func() (err error) { ends, err = b.ends(ctx, r.topic); return err })
		if err != nil {
			return fmt.Errorf("ends of %s: %w", r.topic, err)
		}
		err = again(ctx, func() error {
			s, err := b.standing(ctx, r)
			if err != nil {
				return err
			}
			s.ends = ends
			if n := s.behind(); n > 0 {
				return fmt.Errorf("%s has %d records of %s to go", r.group, n, r.topic)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// again repeats what fails until ctx ends.
func again(ctx context.Context, try func() error) error {
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}
