package chdb

import (
	"fmt"

	"github.com/ebitengine/purego"
)

// load opens the shared library and binds its functions.
func load(path string) (*library, error) {
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, fmt.Errorf("load the engine: %w", err)
	}
	lib := new(library)
	for name, fn := range lib.symbols() {
		symbol, err := purego.Dlsym(handle, name)
		if err != nil {
			return nil, fmt.Errorf("load the engine: %s has no %s (want version %s or newer): %w", path, name, MinVersion, err)
		}
		purego.RegisterFunc(fn, symbol)
	}
	return lib, nil
}
