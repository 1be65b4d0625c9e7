package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/klaxon-dev/klaxon/internal/app"
	"github.com/klaxon-dev/klaxon/internal/output"
	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/stream/kafka"
)

func newKafkaCommand(streams Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "kafka",
		Short: "Make and check the topics of a log in Kafka",
		Long: `With stream.kind kafka the log between the stages is in topics of Apache Kafka,
so that the roles of 'klaxon serve' can be processes of their own. docs/stream.md
describes the topics and what brokers and users must be like.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newKafkaInit(streams))
	return cmd
}

type kafkaInitFlags struct {
	config  string
	brokers []string
	single  bool
	options kafka.InitOptions
	format  output.Format
}

func newKafkaInit(streams Streams) *cobra.Command {
	f := kafkaInitFlags{format: output.FormatTable}
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make the topics, or hold those that are there to the configuration",
		Long: `Init makes the topics events, matches, findings, blind and deadletter as the
section stream.kafka of the configuration says: their prefix, partitions,
replication, retention and the rest. It may be run again at any time.

A topic that is there and contradicts the configuration is refused, with a
sentence that says what is wrong and how to mend it; then nothing is made or
changed. --alter changes the settings that can be changed without loss; the
number of partitions never can. 'klaxon serve' does the same checks when it
starts.`,
		Example: `  klaxon kafka init --config /etc/klaxon/klaxon.yaml --dry-run
  klaxon kafka init --config /etc/klaxon/klaxon.yaml
  klaxon kafka init --brokers 127.0.0.1:9092 --single-broker`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return kafkaInit(cmd.Context(), streams, f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.config, "config", "", "configuration file of serve (YAML), of which stream.kafka counts")
	flags.StringSliceVar(&f.brokers, "brokers", nil, "host:port of brokers, instead of the configuration's")
	flags.BoolVar(&f.single, "single-broker", false, "allow replication below 3 and min_insync_replicas below 2: for development; serve wants stream.kafka.single_broker then")
	flags.BoolVar(&f.options.Alter, "alter", false, "change the settings of topics that contradict the configuration")
	flags.BoolVar(&f.options.DryRun, "dry-run", false, "say what would be done, and do nothing")
	addFormat(cmd, &f.format)
	return cmd
}

func kafkaInit(ctx context.Context, streams Streams, f kafkaInitFlags) error {
	c, err := app.ReadKafka(f.config)
	if err != nil {
		return usageError{err}
	}
	if len(f.brokers) > 0 {
		c.Brokers = f.brokers
	}
	c.SingleBroker = c.SingleBroker || f.single
	c.SetDefaults()
	if err := c.Validate(); err != nil {
		return usageError{fmt.Errorf("configuration: %w", err)}
	}
	topics, err := kafka.Init(ctx, c, topic.Layout(c.Partitions), f.options)
	columns := []output.Column{{Title: "TOPIC", Max: 100}, {Title: "PARTITIONS", Right: true}, {Title: "REPLICATION", Right: true}, {Title: "ACTION", Max: 400}}
	if err := writeList(streams.Out, f.format, topics, columns, kafkaCells); err != nil {
		return err
	}
	if err == nil && f.options.DryRun {
		fmt.Fprintln(streams.Err, "nothing was done: --dry-run")
	}
	return err
}

// kafkaCells are a row of the table.
func kafkaCells(t *kafka.Topic) []string {
	action := string(t.Action)
	if t.Action == kafka.ActionAlter {
		var settings []string
		for _, name := range slices.Sorted(maps.Keys(t.Settings)) {
			settings = append(settings, name+"="+t.Settings[name])
		}
		action += " " + strings.Join(settings, " ")
	}
	return []string{t.Topic, strconv.Itoa(t.Partitions), strconv.Itoa(t.Replication), action}
}
