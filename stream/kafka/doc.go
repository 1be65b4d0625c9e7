// Package kafka keeps the durable log in Apache Kafka, for many processes.
package kafka
