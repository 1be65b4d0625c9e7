//go:build !linux

package kube

import "syscall"

// dieWithParent is nothing that this system offers.
func dieWithParent() *syscall.SysProcAttr { return nil }
