package scaling

import "math"

// Costs are what one event costs, as measured; see docs/performance.md.
type Costs struct {
	Ingest float64 // processor time, microseconds
	Match  float64
	Window float64 // of one match
	Store  float64
	Broker float64 // of all replicas together
	Engine float64 // ClickHouse's inserts

	Wire    float64 // bytes of an event as an API server sends it
	Log     float64 // bytes of an event in one replica of the log
	Row     float64 // bytes of an event in ClickHouse
	Matches float64 // matches of an event, on average
}

// Assumptions of a plan.
const (
	share       = 0.6       // of a processor that is planned for: the rest is for peaks and catching up
	processors  = 4.0       // of one process
	replication = 3.0       // of the log
	logDays     = 7.0       // that the log keeps
	storeDays   = 365.0     // that the store keeps
	shardRate   = 100_000.0 // events a second that one ClickHouse shard of 8 processors takes beside its searches
	brokerBytes = 100e6     // bytes a second that a broker takes in, replicas and all, with room for a broker's loss
	day         = 86_400.0
)

// Size is what an installation of so many events a second needs.
type Size struct {
	Clusters   int
	Rate       float64 // events a second at the peak
	Mean       float64 // over a day
	Partitions int     // of the topic of events
	Ingest     Need
	Match      Need
	Window     Need
	Store      Need
	Brokers    int
	LogBytes   float64 // on all brokers
	Shards     int     // of ClickHouse
	StoreBytes float64 // of one replica of all shards
	Wire       float64 // bytes a second that come from API servers
}

// Need is what a role needs.
type Need struct {
	Processors float64
	Processes  int
}

// Plan sizes an installation. Peaks are twice the mean.
func Plan(clusters int, rate float64, c Costs) Size {
	s := Size{
		Clusters: clusters, Rate: rate, Mean: rate / 2,
		Ingest: need(rate, c.Ingest),
		Match:  need(rate, c.Match),
		Window: need(rate*c.Matches, c.Window),
		Store:  need(rate, c.Store),
		Wire:   rate * c.Wire,
	}
	s.Partitions = partitions(max(s.Match.Processes, s.Store.Processes))
	s.LogBytes = s.Mean * c.Log * replication * logDays * day
	s.Brokers = max(3, ceil(rate*c.Log*replication/brokerBytes), ceil(rate*c.Broker/1e6/share/processors))
	s.Shards = max(1, ceil(rate/shardRate))
	s.StoreBytes = s.Mean * c.Row * storeDays * day
	return s
}

// need returns what a role needs for so many units a second; two processes at
// least, so that one may die.
func need(rate, micros float64) Need {
	busy := rate * micros / 1e6 / share
	return Need{Processors: busy, Processes: max(2, ceil(busy/processors))}
}

// partitions returns the least of 12, 24, 48 … that gives every process two: they
// can never be changed, so there is room to grow.
func partitions(processes int) int {
	n := 12
	for n < 4*processes {
		n *= 2
	}
	return n
}

func ceil(x float64) int { return int(math.Ceil(x)) }
