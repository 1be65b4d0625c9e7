// Package engine runs the embedded ClickHouse engine: a child process that
// loads libchdb and serves ClickHouse's HTTP interface to clickhouse-go.
//
//   - [Fetch] gets the library, a pinned version with pinned hashes.
//   - [Run] is what the child process does: open the data, serve, end with its
//     parent.
//   - [Supervisor] is the parent's half: it starts the child, restarts it when
//     it dies, and says how to reach it.
//
// The engine is a process of its own, so that its crash costs a restart of
// about a second and never the process that receives events. The parent
// connects exactly as it would to a ClickHouse server.
package engine
