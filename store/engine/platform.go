package engine

import (
	"fmt"
	"os"
	"runtime"
)

// loader is the dynamic loader of glibc; a system without it cannot load the
// library.
const loader = "/lib64/ld-linux-x86-64.so.2"

func checkPlatform() error {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return fmt.Errorf("%w: this is %s/%s", ErrPlatform, runtime.GOOS, runtime.GOARCH)
	}
	if _, err := os.Stat(loader); err != nil {
		return fmt.Errorf("%w: this system has no %s", ErrPlatform, loader)
	}
	return nil
}
