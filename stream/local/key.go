package local

import (
	"encoding/binary"
	"math"
)

// The first byte of a key tells the kinds apart. Names hold no zero byte, so a
// zero ends them and keys sort by topic, partition, offset.
const (
	kindFormat    = 'f' // the version of this layout
	kindTopic     = 't' // topic → number of partitions
	kindPartition = 'p' // topic, partition → its end when records were last removed
	kindGroup     = 'g' // topic, group, partition → position
	kindRecords   = 'r' // topic, partition, first offset → block
)

func formatKey() []byte { return []byte{kindFormat} }

func topicKey(topic string) []byte { return named(kindTopic, topic) }

func partitionKey(topic string, partition int) []byte {
	return binary.BigEndian.AppendUint32(named(kindPartition, topic), uint32(partition))
}

func groupsKey(topic string) []byte { return named(kindGroup, topic) }

func groupKey(topic, group string) []byte {
	return append(append(groupsKey(topic), group...), 0)
}

func positionKey(topic, group string, partition int) []byte {
	return binary.BigEndian.AppendUint32(groupKey(topic, group), uint32(partition))
}

func recordsKey(topic string, partition int) []byte {
	return binary.BigEndian.AppendUint32(named(kindRecords, topic), uint32(partition))
}

func named(kind byte, name string) []byte {
	key := make([]byte, 0, len(name)+32)
	return append(append(append(key, kind), name...), 0)
}

// blockKey returns the key of the block that starts at the offset.
func blockKey(records []byte, offset int64) []byte {
	key := make([]byte, 0, len(records)+8)
	return binary.BigEndian.AppendUint64(append(key, records...), uint64(offset))
}

// blockOffset is the inverse of blockKey; false for a key that it did not make.
func blockOffset(records, key []byte) (int64, bool) {
	if len(key) != len(records)+8 {
		return 0, false
	}
	offset := binary.BigEndian.Uint64(key[len(records):])
	return int64(offset), offset <= math.MaxInt64
}

// after returns the least key above all that start with the prefix.
func after(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

// splitPositionKey reads what positionKey wrote after the topic.
func splitPositionKey(rest []byte) (group string, partition int, ok bool) {
	n := len(rest) - 5
	if n < 1 || rest[n] != 0 {
		return "", 0, false
	}
	return string(rest[:n]), int(binary.BigEndian.Uint32(rest[n+1:])), true
}
