package kafka

import (
	"fmt"
	"slices"
	"strconv"
)

// messageSlack is how much larger the largest batch of a topic may be than the
// largest record: a batch has a form of its own, and what does not compress grows.
const messageSlack = 1 << 20

// setting is one entry of a topic's configuration.
type setting struct {
	name  string
	value string                // what Init sets
	fine  func(has string) bool // whether another value serves as well; nil: none does
	want  string                // what serves, in words; "": value
	why   string                // what another value would do
}

// settings lists what the configuration of a topic is to be that has so many
// replicas.
func (c *Config) settings(replicas int) []setting {
	largest := int64(c.MaxRecordBytes) + messageSlack
	inSync := max(replicas-1, c.MinInsyncReplicas)
	return []setting{
		{
			name: "cleanup.policy", value: "delete",
			why: "compaction takes records away that consumers have not read",
		},
		{
			name: "compression.type", value: "producer",
			why: "brokers would compress anew what is compressed",
		},
		atLeast("max.message.bytes", largest, "the largest records would be refused, and others with them"),
		{
			name: "message.timestamp.type", value: "LogAppendTime",
			why: "a record's time would be its producer's word, and lag and retention with it",
		},
		{
			name: "min.insync.replicas", value: strconv.Itoa(c.MinInsyncReplicas),
			fine: func(has string) bool {
				n, err := strconv.Atoi(has)
				return err == nil && n >= c.MinInsyncReplicas && n <= inSync
			},
			want: span(c.MinInsyncReplicas, inSync),
			why:  "with fewer, what was acknowledged is lost with a broker; with more, nothing is taken while one is away",
		},
		noLimit("retention.bytes", "the oldest records go when there are many, whether consumed or not"),
		orNoLimit(atLeast("retention.ms", c.Retention.Milliseconds(), "consumers that are away for a while lose what they did not read")),
		{
			name: "unclean.leader.election.enable", value: "false",
			why: "a broker that missed records may become the leader, and what was acknowledged is lost",
		},
	}
}

// span is a range in words.
func span(least, most int) string {
	if least == most {
		return strconv.Itoa(least)
	}
	return fmt.Sprintf("%d to %d", least, most)
}

// atLeast is a setting that may be larger.
func atLeast(name string, value int64, why string) setting {
	return setting{
		name: name, value: strconv.FormatInt(value, 10), why: why, want: fmt.Sprintf("at least %d", value),
		fine: func(has string) bool {
			n, err := strconv.ParseInt(has, 10, 64)
			return err == nil && n >= value
		},
	}
}

// noLimit is a setting that limits nothing.
func noLimit(name, why string) setting {
	return setting{name: name, value: "-1", why: why}
}

// orNoLimit is s, or no limit at all.
func orNoLimit(s setting) setting {
	least := s.fine
	s.fine = func(has string) bool { return has == "-1" || least(has) }
	return s
}

// Problem is one contradiction between a topic and the configuration.
type Problem struct {
	Topic string `json:"-"`
	// Setting is the name of a topic's setting, partitions or replication.
	Setting string `json:"setting"`
	Has     string `json:"has"`
	Wants   string `json:"wants"`
	Why     string `json:"why"`
	Mend    string `json:"mend"` // what to do
	// Value is what to set Setting to; "" where no alteration mends it.
	Value string `json:"-"`
}

// Error returns the problem as a sentence.
func (p *Problem) Error() string {
	return fmt.Sprintf("topic %s: %s is %s, want %s: %s: %s", p.Topic, p.Setting, p.Has, p.Wants, p.Why, p.Mend)
}

// found is a topic as the brokers have it.
type found struct {
	partitions int
	replicas   int // of the partition that has the fewest
	settings   map[string]string
}

// problems returns what is wrong with a topic, whose full name is name.
func (c *Config) problems(name string, partitions int, has found) []*Problem {
	var all []*Problem
	if has.partitions != partitions {
		all = append(all, &Problem{
			Topic: name, Setting: "partitions", Has: strconv.Itoa(has.partitions), Wants: strconv.Itoa(partitions),
			Why: "their number decides where a record belongs and can never be changed",
			Mend: "set stream.kafka.partitions to what 'klaxon kafka init' was run with; if somebody has added partitions since, " +
				"start afresh with another stream.kafka.prefix",
		})
	}
	if has.replicas < c.Replication {
		all = append(all, &Problem{
			Topic: name, Setting: "replication", Has: strconv.Itoa(has.replicas), Wants: strconv.Itoa(c.Replication),
			Why: "records are on fewer brokers than stream.kafka.replication says",
			Mend: "move the partitions to more brokers with kafka-reassign-partitions.sh, or for development set stream.kafka.single_broker " +
				"and replication",
		})
	}
	for _, s := range c.settings(has.replicas) {
		value, known := has.settings[s.name]
		if !known || value == s.value || s.fine != nil && s.fine(value) {
			continue // a broker that does not know a setting does not act by it
		}
		all = append(all, &Problem{
			Topic: name, Setting: s.name, Has: value, Wants: s.wants(), Why: s.why, Value: s.value,
			Mend: fmt.Sprintf("run 'klaxon kafka init --alter', or kafka-configs.sh --bootstrap-server %s --alter --entity-type topics --entity-name %s --add-config %s=%s",
				c.Brokers[0], name, s.name, s.value),
		})
	}
	return all
}

func (s *setting) wants() string {
	if s.want != "" {
		return s.want
	}
	return s.value
}

// alterable reports whether alterations mend all problems.
func alterable(problems []*Problem) bool {
	return !slices.ContainsFunc(problems, func(p *Problem) bool { return p.Value == "" })
}
