// Package cost measures what the pipeline costs on Kafka, in processor time per
// event, beside what its parts cost alone: 'make cost'. Processor time is that of
// a process as the kernel counts it, so that brokers, engine and senders are
// apart; ratios come from one run.
package cost
