// Package check holds what is in deploy/ to the metrics that klaxon has, and its
// alert rules to their cases, by Prometheus' own parser and engine. It is a
// module of its own: klaxon needs neither.
package check
