//go:build !linux

package spool

// volatileKind cannot be told on this system.
func volatileKind(string) (string, error) { return "", nil }
