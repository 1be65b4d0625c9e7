//go:build !linux

package process

import "syscall"

// dieWithParent is nothing that this system offers.
func dieWithParent() *syscall.SysProcAttr { return nil }
