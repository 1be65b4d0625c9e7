// Package kafkatest gives tests a real Apache Kafka: brokers as processes on
// loopback, each a controller too, which the scripts in e2e/kafka get, prepare
// and run. The first use fetches them by Maven; where that cannot be, the test
// fails.
//
// A test has brokers of its own, which it may kill and pause,
//
//	brokers := kafkatest.Start(t, 3)
//
// or shares one broker with the others of its package, and has topics of its own:
//
//	var shared kafkatest.Shared
//
//	func TestMain(m *testing.M) { shared.Main(m) }
//
//	brokers := shared.Cluster(t)
package kafkatest
