// Package spool keeps what the brokers do not take for a while on a disk of this
// process, and hands it over when they are back.
//
//	     brokers take it                 every partition is drained
//	   ┌──────────────────┐           ┌─────────────────────────────┐
//	   ▼                  │           ▼                             │
//	direct ── refused for Config.After ──▶ spooling ── Append ─▶ disk ─▶ drain ─▶ brokers
//
// # Direct
//
// An Append goes to the brokers. What they refuse the caller refuses in turn: API
// servers try again for nearly four minutes, so that a short outage costs
// nothing. How long one lasts is known for each partition: some may be away while
// others are not.
//
// # Spooling
//
// Once a partition has been refused for Config.After, all that is appended goes to
// the spool, a stream/local log of the same topics and partitions: durable when
// Append returns. All of it, also what the brokers would take: heartbeats say
// that everything before them was handed over, so the order within a partition is
// kept. From then on each partition is drained by itself, by the spool's own
// positions, for as long as it takes. When nearly all is handed over, Appends are
// held for a moment until the rest is, and it is direct again.
//
// A process that finds records in its spool begins so.
//
// # Copies
//
// A process that dies between an Append to the brokers and the commit of its
// position hands the same records over again, at most one reading of each
// partition. Consumers know copies by the event's id.
package spool
