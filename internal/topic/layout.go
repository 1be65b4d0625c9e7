package topic

import "github.com/klaxon-dev/klaxon/detect"

// maxFew is how many partitions the topics with few records have at the most.
const maxFew = 12

// Layout returns how many partitions each topic has, where Events has so many.
// It is fixed when the topics are made: what a record belongs to decides its
// partition.
func Layout(events int) map[string]int {
	return map[string]int{
		Events:      events,
		Matches:     min(events, detect.Shards), // a shard is in one partition
		Findings:    min(events, maxFew),
		Blind:       min(events, maxFew),
		DeadLetters: min(events, maxFew),
	}
}
