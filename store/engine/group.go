package engine

import "syscall"

// ownGroup puts the child into a process group of its own: an interrupt from
// the terminal must reach the parent alone, which still needs the engine while
// it drains.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
