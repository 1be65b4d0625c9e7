// Package local is the durable log of one process, on disk: the contract of
// package stream on one pebble store.
//
// # How it works
//
// An Append packs the records of each partition into blocks, compresses them
// and hands them to the committer, the one goroutine that writes. While one
// commit waits for its fsync the next Appends gather, so that many share one
// fsync. The committer gives offsets and times, so a partition's order is the
// order in which its records become durable; readers see a record only then.
//
//	Append ─ blocks ─┐
//	Commit ──────────┼─▶ committer ─▶ one batch, one fsync ─▶ wake readers, answer
//	retention ───────┘
//
// # On disk
//
// One key per block: topic, partition, first offset. Its value says how many
// records it holds, when they came and how many bytes the partition had taken
// by then: what is held is a difference of two of those, and retention finds
// where to cut by binary search. Positions, groups and the partitions' ends are
// small keys beside them.
//
// A crash may tear the last write, and takes nothing that was acknowledged. What
// is damaged later is found by checksums: the log does not open, or the read
// fails. One damage is not always told from a torn write: that of the store's
// write-ahead log between a crash and the next start. A log that was closed has
// nothing there.
//
// # When the disk fails
//
// A failed write or fsync of the store's own log leaves unknown what is on
// disk, so there is no going on: the log takes nothing more, says [ErrFailed],
// and only a new process (after the disk was looked at) opens it again. What
// was acknowledged is there. So that a full disk is not such a failure, the
// log refuses records (stream.ErrUnavailable) while less than
// Config.MinFreeBytes is free. Where something else takes even those, tables
// are written again until there is room, and commits wait for that; the log
// calls itself sick meanwhile (see Healthy).
package local
