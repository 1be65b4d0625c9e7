package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"
)

// adminTimeout bounds a look at the topics, and a change of them.
const adminTimeout = 30 * time.Second

// Action is what Init does with a topic.
type Action string

// The actions.
const (
	ActionMake   Action = "make"   // there is none
	ActionKeep   Action = "keep"   // it is as it should be
	ActionAlter  Action = "alter"  // its settings are changed
	ActionRefuse Action = "refuse" // it contradicts the configuration, or the brokers do not make it
)

// Topic is what Init found of a topic, and did.
type Topic struct {
	Topic       string            `json:"topic"` // its full name
	Action      Action            `json:"action"`
	Partitions  int               `json:"partitions"`
	Replication int               `json:"replication"`
	Settings    map[string]string `json:"settings,omitempty"` // that it is made with, or altered to
	Problems    []*Problem        `json:"problems,omitempty"`
}

// InitOptions say what Init may do.
type InitOptions struct {
	Alter  bool // change settings of topics that contradict the configuration
	DryRun bool // say what is to be done, and do nothing
}

// Init makes the topics of layout, which says how many partitions each has; the
// names are without the prefix. A topic that is there already is held to the
// configuration: if one contradicts it and is not to be altered, or cannot be,
// nothing is made or changed, and the error has a sentence for each
// contradiction. Topics are returned by name, also with such an error.
func Init(ctx context.Context, c Config, layout map[string]int, o InitOptions) ([]Topic, error) {
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	a, err := newAdmin(ctx, c)
	if err != nil {
		return nil, err
	}
	defer a.close()
	topics, err := a.plan(ctx, layout, o.Alter)
	if err != nil {
		return nil, err
	}
	if err := refused(topics); err != nil {
		return topics, err
	}
	if err := a.make(ctx, topics, o.DryRun); err != nil || o.DryRun {
		return topics, err
	}
	if err := a.alter(ctx, topics); err != nil {
		return topics, err
	}
	return topics, a.settle(ctx, layout)
}

// Check holds the topics of layout to the configuration, as Init does, and
// changes nothing. Its error has a sentence for each contradiction.
func Check(ctx context.Context, c Config, layout map[string]int) error {
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	a, err := newAdmin(ctx, c)
	if err != nil {
		return err
	}
	defer a.close()
	return a.check(ctx, layout)
}

// admin asks the brokers about topics.
type admin struct {
	config    Config
	transport *kafka.Transport
	client    *kafka.Client
}

func newAdmin(ctx context.Context, c Config) (*admin, error) {
	c.SetDefaults()
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if err := c.Preflight(ctx); err != nil {
		return nil, err
	}
	transport, err := c.Transport()
	if err != nil {
		return nil, err
	}
	return &admin{
		config:    c,
		transport: transport,
		client:    &kafka.Client{Addr: kafka.TCP(c.Brokers...), Transport: transport, Timeout: adminTimeout},
	}, nil
}

func (a *admin) close() { a.transport.CloseIdleConnections() }

// plan says what is to be done with each topic.
func (a *admin) plan(ctx context.Context, layout map[string]int, alter bool) ([]Topic, error) {
	there, err := a.look(ctx, layout)
	if err != nil {
		return nil, err
	}
	var topics []Topic
	for _, short := range slices.Sorted(maps.Keys(layout)) {
		name, partitions := a.config.Topic(short), layout[short]
		has, ok := there[name]
		if !ok {
			topics = append(topics, Topic{
				Topic: name, Action: ActionMake, Partitions: partitions, Replication: a.config.Replication, Settings: a.config.initial(),
			})
			continue
		}
		t := Topic{Topic: name, Action: ActionKeep, Partitions: has.partitions, Replication: has.replicas}
		t.Problems = a.config.problems(name, partitions, has)
		switch {
		case len(t.Problems) == 0:
		case alter && alterable(t.Problems):
			t.Action, t.Settings = ActionAlter, map[string]string{}
			for _, p := range t.Problems {
				t.Settings[p.Setting] = p.Value
			}
		default:
			t.Action = ActionRefuse
		}
		topics = append(topics, t)
	}
	return topics, nil
}

// initial returns the settings that a new topic gets.
func (c *Config) initial() map[string]string {
	values := map[string]string{}
	for _, s := range c.settings(c.Replication) {
		values[s.name] = s.value
	}
	return values
}

// refused returns the contradictions of the topics that are refused.
func refused(topics []Topic) error {
	var problems []error
	for i := range topics {
		if topics[i].Action == ActionRefuse {
			for _, p := range topics[i].Problems {
				problems = append(problems, p)
			}
		}
	}
	return errors.Join(problems...)
}

// check returns what is wrong with the topics.
func (a *admin) check(ctx context.Context, layout map[string]int) error {
	topics, err := a.plan(ctx, layout, false)
	if err != nil {
		return err
	}
	problems := []error{refused(topics)}
	for _, t := range topics {
		if t.Action == ActionMake {
			problems = append(problems, fmt.Errorf("there is no topic %s, or klaxon's user may not see it: run 'klaxon kafka init'", t.Topic))
		}
	}
	return errors.Join(problems...)
}

// look returns the topics that there are, by full name.
func (a *admin) look(ctx context.Context, layout map[string]int) (map[string]found, error) {
	a.transport.CloseIdleConnections() // with them goes what it remembers of topics
	var names []string
	for short := range layout {
		names = append(names, a.config.Topic(short))
	}
	answer, err := a.client.Metadata(ctx, &kafka.MetadataRequest{Topics: names})
	if err != nil {
		return nil, fmt.Errorf("look topics up: %w", err)
	}
	there := map[string]found{}
	for _, t := range answer.Topics {
		switch {
		case errors.Is(t.Error, kafka.UnknownTopicOrPartition):
		case t.Error != nil:
			return nil, fmt.Errorf("topic %s: %w%s", t.Name, t.Error, advice(t.Error))
		default:
			there[t.Name] = found{partitions: len(t.Partitions), replicas: fewestReplicas(t.Partitions), settings: map[string]string{}}
		}
	}
	return there, a.describe(ctx, there)
}

func fewestReplicas(partitions []kafka.Partition) int {
	if len(partitions) == 0 {
		return 0
	}
	return len(slices.MinFunc(partitions, func(p, q kafka.Partition) int { return len(p.Replicas) - len(q.Replicas) }).Replicas)
}

// describe adds the settings of topics, those included that they have from their
// broker.
func (a *admin) describe(ctx context.Context, topics map[string]found) error {
	if len(topics) == 0 {
		return nil
	}
	request := &kafka.DescribeConfigsRequest{}
	for name := range topics {
		request.Resources = append(request.Resources, kafka.DescribeConfigRequestResource{
			ResourceType: kafka.ResourceTypeTopic, ResourceName: name, ConfigNames: slices.Sorted(maps.Keys(a.config.initial())),
		})
	}
	answer, err := a.client.DescribeConfigs(ctx, request)
	if err != nil {
		return fmt.Errorf("read the topics' settings: %w", err)
	}
	for _, r := range answer.Resources {
		if r.Error != nil {
			return fmt.Errorf("read the settings of topic %s: %w%s", r.ResourceName, r.Error, advice(r.Error))
		}
		for _, e := range r.ConfigEntries {
			topics[r.ResourceName].settings[e.ConfigName] = e.ConfigValue
		}
	}
	return nil
}

// make makes the topics that are to be made, or only asks whether they could be.
func (a *admin) make(ctx context.Context, topics []Topic, ask bool) error {
	request := &kafka.CreateTopicsRequest{ValidateOnly: ask}
	for _, t := range topics {
		if t.Action != ActionMake {
			continue
		}
		topic := kafka.TopicConfig{Topic: t.Topic, NumPartitions: t.Partitions, ReplicationFactor: t.Replication}
		for _, name := range slices.Sorted(maps.Keys(t.Settings)) {
			topic.ConfigEntries = append(topic.ConfigEntries, kafka.ConfigEntry{ConfigName: name, ConfigValue: t.Settings[name]})
		}
		request.Topics = append(request.Topics, topic)
	}
	if len(request.Topics) == 0 {
		return nil
	}
	answer, err := a.client.CreateTopics(ctx, request)
	if err != nil {
		return fmt.Errorf("make topics: %w", err)
	}
	var errs []error
	tooFew := false
	for i := range topics {
		t := &topics[i]
		err := answer.Errors[t.Topic]
		if err == nil || errors.Is(err, kafka.TopicAlreadyExists) {
			continue
		}
		t.Action = ActionRefuse
		if errors.Is(err, kafka.InvalidReplicationFactor) {
			tooFew = true
			continue
		}
		errs = append(errs, fmt.Errorf("make topic %s: %w%s", t.Topic, err, advice(err)))
	}
	if tooFew {
		errs = append(errs, fmt.Errorf("stream.kafka.replication is %d, and there are fewer brokers: add brokers, or say --single-broker for development", a.config.Replication))
	}
	return errors.Join(errs...)
}

// alter changes the settings that are to be changed.
func (a *admin) alter(ctx context.Context, topics []Topic) error {
	request := &kafka.IncrementalAlterConfigsRequest{}
	for _, t := range topics {
		if t.Action != ActionAlter {
			continue
		}
		resource := kafka.IncrementalAlterConfigsRequestResource{ResourceType: kafka.ResourceTypeTopic, ResourceName: t.Topic}
		for _, name := range slices.Sorted(maps.Keys(t.Settings)) {
			resource.Configs = append(resource.Configs, kafka.IncrementalAlterConfigsRequestConfig{Name: name, Value: t.Settings[name]})
		}
		request.Resources = append(request.Resources, resource)
	}
	if len(request.Resources) == 0 {
		return nil
	}
	answer, err := a.client.IncrementalAlterConfigs(ctx, request)
	if err != nil {
		return fmt.Errorf("alter topics: %w", err)
	}
	var errs []error
	for _, r := range answer.Resources {
		if r.Error != nil {
			errs = append(errs, fmt.Errorf("alter topic %s: %w%s", r.ResourceName, r.Error, advice(r.Error)))
		}
	}
	return errors.Join(errs...)
}

// settle waits until all brokers know what was made and changed.
func (a *admin) settle(ctx context.Context, layout map[string]int) error {
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		err := a.check(ctx, layout)
		if err == nil {
			return nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("the topics were made, and are not as they should be: %w", err)
		}
	}
}

// advice says what to do about some errors, behind a colon; "" where they
// speak for themselves.
func advice(err error) string {
	if errors.Is(err, kafka.TopicAuthorizationFailed) || errors.Is(err, kafka.ClusterAuthorizationFailed) {
		return ": docs/stream.md lists what klaxon's user must be allowed"
	}
	return ""
}
