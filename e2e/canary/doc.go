// Package canary proves that no secret stays. Random values go through a real
// API server in every place that is redacted; afterwards they are searched in
// every file that klaxon wrote, with compression off, and in everything that its
// readers return. A control with a build that does not redact finds each of
// them, which proves the search.
package canary
