// Package streamtest is the suite that every implementation of the contract in
// package stream passes. It uses nothing but the contract.
package streamtest

import (
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
}

// Factory makes the log of one test: nothing that other tests wrote is in it.
// What it returns opens the log; after Close it may be called again and the log
// holds what it held. The factory's clean-ups close what the test left open.
type Factory func(t *testing.T, c Config) (open func() stream.Log)

// Run runs the suite.
func Run(t *testing.T, factory Factory) {
	tests := []struct {
		name string
		run  func(*testing.T, Factory)
	}{
		{"Partitions", testPartitions},
		{"RoundTrip", testRoundTrip},
		{"Offsets", testOffsets},
		{"OffsetsAcrossReopen", testOffsetsAcrossReopen},
		{"EmptyAppend", testEmptyAppend},
		{"SlicesAreTheCallers", testSlicesAreTheCallers},
		{"TooLarge", testTooLarge},
		{"UnknownPlaces", testUnknownPlaces},
		{"ManyAppenders", testManyAppenders},
		{"ReadFromAnywhere", testReadFromAnywhere},
		{"ReadIsBounded", testReadIsBounded},
		{"ReadWaits", testReadWaits},
		{"ReadIsCancelled", testReadIsCancelled},
		{"TailWhileAppending", testTailWhileAppending},
		{"TopicsAreApart", testTopicsAreApart},
		{"Positions", testPositions},
		{"PositionsAcrossReopen", testPositionsAcrossReopen},
		{"PositionsGoBack", testPositionsGoBack},
		{"MetadataIsBounded", testMetadataIsBounded},
		{"Replays", testReplays},
		{"GroupsAreIndependent", testGroupsAreIndependent},
		{"OneOwner", testOneOwner},
		{"HandOver", testHandOver},
		{"OldOwnerIsFenced", testOldOwnerIsFenced},
		{"HandlerFails", testHandlerFails},
		{"HandlerReturns", testHandlerReturns},
		{"ConsumeEndsWithContext", testConsumeEndsWithContext},
		{"Close", testClose},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(t, factory) })
	}
}
