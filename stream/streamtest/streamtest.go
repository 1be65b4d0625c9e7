// Package streamtest is the suite that every implementation of the contract in
// package stream passes. It uses nothing but the contract and a Place's hooks.
//
// stream/local and stream/kafka, on real brokers, run all of it; what comes through
// stream/spool runs what needs no hook: retention and damage are its target's.
//
//	durable append      RoundTrip, Offsets, EmptyAppend, TooLarge, ManyAppenders
//	order               Offsets, ManyAppenders, TailWhileAppending
//	positions, metadata Positions, PositionsGoBack, MetadataIsBounded, MetadataIsText, Replays
//	hand-over           OneOwner, HandOver, OldOwnerIsFenced, HandlerFails, HandlerReturns
//	restart             OffsetsAcrossReopen, PositionsAcrossReopen, Close
//	retention           RetentionIsNamed, RetentionBeforeAReader, RetentionOfReplays, RetentionOfAll
//	poison              PoisonStopsItsPartition, OversizeSparesNeighbours, DamageIsNotSteppedOver
//	back-pressure       StalledLog, SlowReader, ReadIsBounded
//	cancellation        AppendIsCancelled, ReadIsCancelled, CommitIsCancelled, ConsumeEndsWithContext
//
// What only one of them has is in its own tests: a local log that is full refuses
// (TestRemovalBySize), and so does a spool (TestFull); brokers die (TestBrokersDie).
package streamtest

import (
	"slices"
	"testing"

	"github.com/klaxon-dev/klaxon/stream"
)

// Config is what a test needs of a log.
type Config struct {
	// Topics are the topics and how many partitions each has. They are empty
	// when the test begins.
	Topics map[string]int
	// MaxRecordBytes is the bound of one record (key, headers and value);
	// records may count some more for their form.
	MaxRecordBytes int
	// MaxInFlightBytes bounds the records that are not acknowledged yet, where the
	// log can be told; 0: as it likes.
	MaxInFlightBytes int64
	// Alone says that the test stalls the log: nobody else may use what it lies on.
	Alone bool
}

// Place is where the log of one test lies: nothing that other tests wrote is in it.
type Place struct {
	// Open opens the log. After Close it may be called again, and the log holds
	// what it held. What a test left open the place's maker closes.
	Open func() stream.Log

	// Remove has retention remove what it may of a partition of the topic events
	// before an offset. Keeps says whether it may not take what a group has not
	// consumed or reads again; a log that does not keep that removes it all. Nil:
	// cases that need it are left out.
	Remove func(log stream.Log, partition int, before int64)
	Keeps  bool

	// Damage spoils a record's value where the log keeps it, while the log is
	// closed. Nil: as above.
	Damage func(value []byte)

	// Stall has the log acknowledge nothing until resume is called. Nil: as above.
	Stall func() (resume func())
}

// Factory makes the place of a test.
type Factory func(t *testing.T, c Config) Place

// What of a Place a case may not do without.
const (
	NeedsRemove = "remove"
	NeedsDamage = "damage"
	NeedsStall  = "stall"
)

// Run runs the suite but for the cases that need what is named.
func Run(t *testing.T, factory Factory, without ...string) {
	tests := []struct {
		name  string
		needs string
		run   func(*testing.T, Factory)
	}{
		{"Partitions", "", testPartitions},
		{"RoundTrip", "", testRoundTrip},
		{"Offsets", "", testOffsets},
		{"OffsetsAcrossReopen", "", testOffsetsAcrossReopen},
		{"EmptyAppend", "", testEmptyAppend},
		{"SlicesAreTheCallers", "", testSlicesAreTheCallers},
		{"TooLarge", "", testTooLarge},
		{"UnknownPlaces", "", testUnknownPlaces},
		{"ManyAppenders", "", testManyAppenders},
		{"AppendIsCancelled", "", testAppendIsCancelled},
		{"ReadFromAnywhere", "", testReadFromAnywhere},
		{"ReadIsBounded", "", testReadIsBounded},
		{"ReadWaits", "", testReadWaits},
		{"ReadIsCancelled", "", testReadIsCancelled},
		{"TailWhileAppending", "", testTailWhileAppending},
		{"TopicsAreApart", "", testTopicsAreApart},
		{"Positions", "", testPositions},
		{"PositionsAcrossReopen", "", testPositionsAcrossReopen},
		{"PositionsGoBack", "", testPositionsGoBack},
		{"MetadataIsBounded", "", testMetadataIsBounded},
		{"MetadataIsText", "", testMetadataIsText},
		{"CommitIsCancelled", "", testCommitIsCancelled},
		{"Replays", "", testReplays},
		{"GroupsAreIndependent", "", testGroupsAreIndependent},
		{"OneOwner", "", testOneOwner},
		{"HandOver", "", testHandOver},
		{"OldOwnerIsFenced", "", testOldOwnerIsFenced},
		{"HandlerFails", "", testHandlerFails},
		{"HandlerReturns", "", testHandlerReturns},
		{"ConsumeEndsWithContext", "", testConsumeEndsWithContext},
		{"Close", "", testClose},
		{"RetentionIsNamed", NeedsRemove, testRetentionIsNamed},
		{"RetentionBeforeAReader", NeedsRemove, testRetentionBeforeAReader},
		{"RetentionOfReplays", NeedsRemove, testRetentionOfReplays},
		{"RetentionOfAll", NeedsRemove, testRetentionOfAll},
		{"PoisonStopsItsPartition", "", testPoisonStopsItsPartition},
		{"OversizeSparesNeighbours", "", testOversizeSparesNeighbours},
		{"DamageIsNotSteppedOver", NeedsDamage, testDamageIsNotSteppedOver},
		{"StalledLog", NeedsStall, testStalledLog},
		{"SlowReader", "", testSlowReader},
	}
	for _, test := range tests {
		if !slices.Contains(without, test.needs) {
			t.Run(test.name, func(t *testing.T) { test.run(t, factory) })
		}
	}
}
