package chdb

import (
	"fmt"
	"syscall"
	"unsafe"
)

// lastSignal is the last of the signals that the Go runtime uses.
const lastSignal = 31

// signalActions returns the handlers of the signals 1 to lastSignal.
func signalActions() ([]uintptr, error) {
	handlers := make([]uintptr, 0, lastSignal)
	for signal := uintptr(1); signal <= lastSignal; signal++ {
		var action struct{ handler, flags, restorer, mask uintptr } // the kernel's struct sigaction
		_, _, errno := syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, signal, 0, uintptr(unsafe.Pointer(&action)), unsafe.Sizeof(action.mask), 0, 0)
		if errno != 0 {
			return nil, fmt.Errorf("read the action of signal %d: %w", signal, errno)
		}
		handlers = append(handlers, action.handler)
	}
	return handlers, nil
}
