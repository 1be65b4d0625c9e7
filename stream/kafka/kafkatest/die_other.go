//go:build !linux

package kafkatest

import "syscall"

// dieWithParent is nothing that this system offers.
func dieWithParent() *syscall.SysProcAttr { return nil }
