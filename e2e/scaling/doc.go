// Package scaling says what an installation needs for so many events a second,
// from what its parts cost for one: the tables of docs/scaling.md. Sizes are
// arithmetic; what a process's death does is simulated, as queues that fill and
// drain.
package scaling
