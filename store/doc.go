// Package store keeps audit events and findings in ClickHouse and searches
// them. The embedded engine and a ClickHouse server get the same SQL.
//
//   - [Open] connects, brings the tables up to date and sets the retention.
//   - [Store.WriteEvents] and [Store.WriteFindings] consume one partition of the
//     durable log each. An event is stored exactly once, however often it comes
//     and wherever the process dies.
//   - [Store.SearchEvents], [Store.SearchFindings] and [Store.Finding] answer
//     queries within the clusters that the asker may see.
//
// # How an event is stored once
//
// Two things make copies, and each has its own remedy.
//
// A range of the log that is inserted again, because the process died between
// the insert and the commit: before an insert, the range is announced as
// metadata of the position, and the insert carries a token made of the range and
// the records in it. Whoever takes the partition over repeats exactly that range
// under that token, and the engine drops what it has. The rows of a range depend
// on nothing but the log and what was stored from elsewhere, so that a repetition
// has the same rows (batch, a column, tells own rows from those). After a
// repetition the rows are looked up: an engine that died may know the token and
// not have the rows.
//
// An event that came twice, at other offsets: topic events is partitioned by
// event id, so both copies come to one consumer. It remembers the ids of the
// last 15 minutes of its partition, and restores them from the log on start.
// An event whose time lies before what it remembers is looked up in the store.
//
// # Hostile times
//
// Days of event time are partitions of audit_events. An event whose time is far
// from its receipt, or one of too many, is kept apart in audit_events_misdated,
// with the reason: docs/adr/0004-hostile-times-open-no-partitions.md. Searches
// and look-ups ask both tables.
package store
