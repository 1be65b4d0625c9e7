// Package chaos runs klaxon as many processes on three brokers of Kafka, kills,
// stops and cuts off any of them under load, and looks afterwards for what was
// lost, doubled or found otherwise than by one process that was left alone.
//
// The processes are this package's test binary started again, which then is
// klaxon; its serve has a clock that a file moves ([RunNode]). Between them and
// the brokers lie proxies of the test's own ([Proxy]).
package chaos
