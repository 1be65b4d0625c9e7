// Package kafka is the durable log of many processes, in Apache Kafka: the
// contract of package stream on kafka-go.
//
// # Writing
//
// An Append copies its records, takes its bytes from what may be in flight, and
// waits until every in-sync replica has them. kafka-go's own queue has no bound:
// the budget is that bound. When a write has failed for want of a broker, the
// log is down: one Append at a time tries whether it is back, the others are
// refused at once.
//
// # Reading
//
// A group owns partitions through the coordinator; records are fetched by the
// owner alone, each partition at its own pace. What is missing between two
// offsets is never stepped over in silence: Read says which records are gone. After
// a fetch that failed, the last record that was read is looked up again: a topic
// that was deleted and made anew has another there, and nobody reads on in it.
//
// # Change of owners
//
// Whenever a member comes or goes, all members meet again. Before it goes there
// a member stops: its handlers come to rest in Read, where nothing is under way.
// Those that do not within a few seconds lose their claims. The partitions that
// it keeps (the balancer is sticky) go on where they rested, with all that their
// handlers know, if nobody has committed anything for them meanwhile; for the
// others ctx ends. So no partition has two owners at work, and what windows
// remember is restored only where a partition moves.
//
// A commit names the member and the generation that it belongs to: Kafka refuses
// that of a member which was thought dead and is not.
package kafka
